//! The integration tests: one module per behaviour.

mod api;
#[cfg(all(feature = "diagnosis", feature = "oauth"))]
mod checkup;
#[cfg(all(feature = "diagnosis", feature = "oauth"))]
mod diagnosis;
#[cfg(all(feature = "diagnosis", feature = "oauth"))]
mod doctor;
mod embedded;
#[cfg(feature = "oauth")]
mod entra;
mod faults;
#[cfg(feature = "oauth")]
mod grants;
mod hostile;
mod imap_extensions;
mod layering;
mod links;
mod maildrop;
mod mutated;
#[cfg(feature = "oauth")]
mod oauth_server;
mod real_bed;
mod real_certificates;
mod real_commands;
#[cfg(feature = "compress")]
mod real_compress;
mod real_cyrus;
mod real_dropped;
mod real_envelope;
mod real_extensions;
mod real_fall_backs;
mod real_finding;
mod real_login;
mod real_mailbox;
mod real_maildrop;
mod real_messages;
mod real_notify;
#[cfg(feature = "proxy")]
mod real_proxy;
mod real_streams;
mod real_structure;
mod real_submission;
mod real_synchronise;
mod real_two_clients;
mod secrets;
mod support;
mod tolerance;
mod transcript;
