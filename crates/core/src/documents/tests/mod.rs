//! Tests that look inside: sizes against serialising, and the work that is done.

mod arbitrary;
mod measure;
mod model;
mod work;
