//! Tests of the public interface, one module per behaviour.

mod layering;
mod support;
mod transcript;
