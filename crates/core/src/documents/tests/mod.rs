//! Tests that look inside: sizes against serialising, and the work that is done.

mod measure;
mod work;
