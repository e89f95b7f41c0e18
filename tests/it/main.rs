//! Tests of the public interface, one module per behaviour.

mod support;
mod transcript;
