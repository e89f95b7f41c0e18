//! The integration tests: one module per behaviour.

mod api;
mod grants;
mod layering;
mod secrets;
