//! The arena: a hero, and viewers who choose what comes next. A small game in a terminal that shows
//! how to use `crowdlink-client`.
//!
//! `world` has the rules and knows neither terminal nor network; `draw` shows it; `audience` talks to
//! the server; `play` puts them together.

pub mod audience;
pub mod draw;
pub mod play;
pub mod world;
