//! The integration tests: one module per behaviour.

mod api;
mod layering;
mod secrets;
mod support;
mod transcript;
