//! The world on a terminal.

use crowdlink_client::{PollReport, Status};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

use crate::world::{HEARTS_MAX, Screen, World};

/// The longest bar of votes, in cells.
const BAR_CELLS_MAX: i64 = 20;

/// Draws everything.
pub fn draw(world: &World, frame: &mut Frame<'_>) {
    match &world.screen {
        Screen::Pin { typed, fault } => pin(frame, typed, fault.as_deref()),
        Screen::Pairing => {
            let text = Paragraph::new("Pairing …").block(Block::bordered().title(" Arena "));
            frame.render_widget(text, frame.area());
        }
        Screen::Arena => arena(frame, world),
    }
}

fn pin(frame: &mut Frame<'_>, typed: &str, fault: Option<&str>) {
    let mut lines = vec![
        Line::from("Type the PIN that the extension shows, then Enter. Esc leaves."),
        Line::from(""),
        Line::from(format!("PIN: {typed}_")).bold(),
    ];
    if let Some(fault) = fault {
        lines.push(Line::from(fault.to_owned()).fg(Color::Red));
    }
    let text = Paragraph::new(lines).block(Block::bordered().title(" Arena "));
    frame.render_widget(text, frame.area());
}

fn arena(frame: &mut Frame<'_>, world: &World) {
    let rows = [
        Constraint::Length(3),
        Constraint::Length(7),
        Constraint::Fill(1),
    ];
    let [hero, poll, lines] = Layout::vertical(rows).areas(frame.area());
    let full = usize::try_from(world.hearts).unwrap_or_default();
    let empty = usize::try_from(HEARTS_MAX.saturating_sub(world.hearts)).unwrap_or_default();
    let hearts = format!("{}{}", "♥".repeat(full), "·".repeat(empty));
    let text = Line::from(format!("Hero {hearts}  rounds {}", world.rounds));
    let title = format!(
        " Arena: paired with {} ({}) ",
        world.name,
        link(world.status)
    );
    frame.render_widget(
        Paragraph::new(text).block(Block::bordered().title(title)),
        hero,
    );
    votes(frame, poll, world);
    let text: Vec<Line<'_>> = world.lines.iter().map(|line| Line::from(&**line)).collect();
    let block = Block::bordered().title(" n: next round  q: leave ");
    frame.render_widget(Paragraph::new(text).block(block), lines);
}

fn votes(frame: &mut Frame<'_>, area: Rect, world: &World) {
    let lines = match &world.poll {
        None => vec![Line::from("Press n, and the viewers choose who comes.")],
        Some(report) => bars(report),
    };
    let title = if world.is_asking() {
        " Viewers vote "
    } else {
        " The gate "
    };
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(title)),
        area,
    );
}

fn bars(report: &PollReport) -> Vec<Line<'_>> {
    let mut lines = vec![Line::from(&*report.poll.prompt).bold()];
    let most = report.results.iter().copied().max().unwrap_or(0).max(1);
    for (option, votes) in report.poll.options.iter().zip(&report.results) {
        let cells = votes.saturating_mul(BAR_CELLS_MAX) / most;
        let bar = "█".repeat(usize::try_from(cells).unwrap_or_default());
        lines.push(Line::from(format!("{option:<8} {votes:>5} {bar}")));
    }
    lines
}

fn link(status: Status) -> &'static str {
    if status == Status::Connected {
        "connected"
    } else if status.is_final() {
        "over"
    } else {
        "reconnecting"
    }
}
