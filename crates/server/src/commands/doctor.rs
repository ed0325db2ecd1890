//! `doctor`: what a token, a header or a curl line is, and why it is refused.

mod curl;
mod render;

use std::io::{self, Read as _};
use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_core::tokens::{Diagnosis, Expectation, diagnose};
use crowdlink_core::{Core, LocalBus, World};
use crowdlink_store::{Clock, SystemClock};

use super::print;
use crate::app::{core_options, open_to_read, system_random};
use crate::cli::{DoctorArgs, Hidden};
use crate::settings::Settings;

/// Longest input, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1_024;

/// Explains a token; answers whether it is good for what was expected. Writes to no store.
pub fn doctor(settings: &Settings, args: &DoctorArgs) -> anyhow::Result<bool> {
    let words = words(args)?;
    let mut question = match words
        .first()
        .map(|word| word.trim_start_matches(['$', ' ']))
    {
        Some(first) if curl::is_curl(first) => curl::read(&words, &settings.listen)?,
        _ => curl::Question::of_header(words.join(" ")),
    };
    if let Some(stage) = args.stage {
        question.expected.stage = Some(stage.into());
    }
    if let Some(channel) = &args.channel {
        question.expected.channel_id = Some(channel.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (diagnosis, unchecked, now_ms) = runtime.block_on(examine(settings, &question))?;
    let report = render::report(&diagnosis, &question, unchecked.as_deref(), now_ms);
    print(&report)?;
    Ok(render::is_good(&diagnosis, &question))
}

fn words(args: &DoctorArgs) -> anyhow::Result<Vec<String>> {
    let mut words: Vec<String> = args
        .items
        .iter()
        .map(Hidden::expose)
        .map(str::to_owned)
        .collect();
    if words.is_empty() {
        let mut text = String::new();
        let limit = u64::try_from(INPUT_BYTES_MAX)? + 1;
        let read = io::stdin().lock().take(limit).read_to_string(&mut text);
        read.context("cannot read a token from standard input")?;
        words.push(text);
    }
    let bytes: usize = words.iter().map(String::len).sum();
    anyhow::ensure!(
        bytes <= INPUT_BYTES_MAX,
        "the input is over {INPUT_BYTES_MAX} bytes"
    );
    Ok(words)
}

/// The diagnosis, and why the signature could not be checked, if so.
async fn examine(
    settings: &Settings,
    question: &curl::Question,
) -> anyhow::Result<(Diagnosis, Option<String>, i64)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let now_ms = clock.now_ms();
    let (core, unchecked) = match open(settings, clock).await? {
        Ok(core) => (Some(core), None),
        Err(why) => (None, Some(why)),
    };
    let header = question.header.as_deref().unwrap_or_default();
    let expected: &Expectation = &question.expected;
    let diagnosis = diagnose(core.as_deref(), now_ms, header, expected).await;
    Ok((diagnosis, unchecked, now_ms))
}

/// Core on a store that cannot be written to, or why there is none.
async fn open(
    settings: &Settings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Result<Arc<Core>, String>> {
    let store = match open_to_read(settings, &clock).await? {
        Ok(store) => store,
        Err(why) => return Ok(Err(why)),
    };
    let world = World {
        store,
        clock,
        random: system_random()?,
        bus: Arc::new(LocalBus::new()),
    };
    // A store without a key ring would get one: this one refuses that.
    let opened = Core::open(world, core_options(settings, false)).await;
    Ok(opened.map_err(|_| "the store holds no key ring yet".to_owned()))
}
