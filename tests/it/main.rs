//! The integration tests: one module per behaviour.

mod real_bed;
mod support;
