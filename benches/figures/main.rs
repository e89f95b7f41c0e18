//! What mailbearer costs: `cargo bench --bench figures`.
//!
//! One line each, `figure AREA/NAME VALUE UNIT LIMIT ok|MISS|info`. Round trips, instructions,
//! allocations, heap and growth are the same on every machine, so they have limits, and the program
//! fails if one is missed or could not be measured. Times depend on the machine: they are given
//! only for information, and only as a ratio to a hand-written floor measured in the same run.
//!
//! With `--features compress` it measures what compression saves, too.
//!
//! Words behind `--` choose figures: `cargo bench --bench figures -- smtp/ token/`.

mod allocations;
mod build;
#[cfg(feature = "compress")]
mod compressed;
mod figure;
mod instructions;
mod link;
mod replay;
#[cfg(feature = "oauth")]
mod requests;
mod round_trips;
mod server;
mod wall;
mod workloads;

use std::process::ExitCode;

use figure::Limit::AtMost;
#[cfg(feature = "oauth")]
use figure::Unit::Requests;
#[cfg(feature = "compress")]
use figure::Unit::Share;
use figure::Unit::{
    Allocations, Crates, Growth, Instructions, MessagesPerSecond, Octets, RoundTrips, TimesFloor,
    TimesPart, Writes,
};
use figure::{Figure, Limit, Measured, Unit, Verdict};
use workloads::{Workload, imap, pop, smtp, token};

const KIB: f64 = 1024.0;

#[rustfmt::skip]
const FIGURES: &[Figure] = &[
    // TCP, TLS, greeting, EHLO, AUTH, envelope, message.
    figure("smtp/connect_to_sent_one_line_auth", RoundTrips, AtMost(7.0), round_trips::smtp_sent),
    figure("smtp/connect_to_sent_ten_recipients", RoundTrips, AtMost(7.0), round_trips::smtp_sent_to_ten),
    figure("smtp/connect_to_sent_two_step_auth", RoundTrips, AtMost(8.0), round_trips::smtp_sent_two_step),
    // EHLO and STARTTLS more.
    figure("smtp/connect_to_sent_starttls", RoundTrips, AtMost(9.0), round_trips::smtp_sent_starttls),
    figure("smtp/second_message", RoundTrips, AtMost(2.0), round_trips::smtp_second_message),
    figure("smtp/nodelay", Writes, AtMost(1.0), round_trips::smtp_writes),
    // The envelope and the content leave together.
    figure("smtp/connect_to_sent_one_flight", RoundTrips, AtMost(6.0), round_trips::smtp_sent_in_one_flight),
    // The five up to AUTH, and one more than there are messages.
    figure("smtp/hundred_messages", RoundTrips, AtMost(106.0), round_trips::smtp_hundred),
    figure("smtp/hundred_messages_one_flight", RoundTrips, AtMost(10.0), round_trips::smtp_hundred_in_one_flight),
    // Looking at a message of 10 KiB takes 3,900, copying it 1,000, and each reply that is not the
    // same as the one before some 900.
    figure("smtp/send_10_kib_instructions", Instructions, AtMost(15_000.0), || instructions::each(&smtp::SEND_10_KIB, 100)),
    figure("smtp/send_10_kib_to_ten_instructions", Instructions, AtMost(15_000.0), || instructions::each(&smtp::SEND_10_KIB_TO_TEN, 100)),
    figure("smtp/send_10_kib_allocations", Allocations, AtMost(2.0), || allocations::each(&smtp::SEND_10_KIB)),
    figure("smtp/send_10_kib_to_ten_allocations", Allocations, AtMost(2.0), || allocations::each(&smtp::SEND_10_KIB_TO_TEN)),
    figure("smtp/dot_stuffing_growth", Growth, AtMost(1.2), || growth(&smtp::DOTS_10_KIB, &smtp::DOTS_1_MIB)),
    figure("smtp/body_copy_25_mib_heap", Octets, AtMost(128.0 * KIB), allocations::smtp_body),
    figure("smtp/body_stream_25_mib_heap", Octets, AtMost(128.0 * KIB), allocations::smtp_body_from_a_stream),
    figure("smtp/body_copy_25_mib_time", TimesFloor, Limit::None, wall::smtp_body),
    figure("smtp/send_all_10_kib", MessagesPerSecond, Limit::None, wall::smtp_messages),

    // TCP, TLS, greeting, CAPABILITY, AUTHENTICATE, probe.
    figure("imap/connect_exchange", RoundTrips, AtMost(6.0), round_trips::imap_connect_exchange),
    // TCP, TLS, greeting, AUTHENTICATE.
    figure("imap/connect", RoundTrips, AtMost(4.0), round_trips::imap_connect),
    figure("imap/select", RoundTrips, AtMost(1.0), round_trips::imap_select),
    figure("imap/fetch", RoundTrips, AtMost(1.0), round_trips::imap_fetch),
    // The same, with SELECT and UID FETCH in one flight by one call.
    figure("imap/connect_login_select_fetch_exchange", RoundTrips, AtMost(7.0), round_trips::imap_fetched_exchange),
    figure("imap/connect_login_select_fetch", RoundTrips, AtMost(5.0), round_trips::imap_fetched),
    // The window holds 64 commands.
    figure("imap/status_of_100", RoundTrips, AtMost(2.0), round_trips::imap_status_of_hundred),
    figure("imap/resync_10_of_100_000", RoundTrips, AtMost(1.0), round_trips::imap_resynced),
    figure("imap/nodelay", Writes, AtMost(1.0), round_trips::imap_writes),
    // What core and driver do is a sixth of it; the rest is to read some hundred strings, lists and
    // numbers, and to look at them.
    figure("imap/fetch_parse_instructions", Instructions, AtMost(12_000.0), || instructions::each(&imap::METADATA, 640)),
    figure("imap/client_over_parser", TimesPart, AtMost(1.2), client_over_parser),
    figure("imap/fetch_parse_allocations", Allocations, AtMost(3.0), || allocations::each(&imap::METADATA)),
    // Of it 5,000 are to copy it out of the socket, which is all that the floor of its time does.
    figure("imap/fetch_50_kib_body_instructions", Instructions, AtMost(11_000.0), || instructions::each(&imap::BODY_50_KIB, 64)),
    figure("imap/fetch_heap_growth", Growth, AtMost(1.2), allocations::imap_growth),
    figure("imap/resync_10_of_100_000_heap", Octets, AtMost(64.0 * KIB), allocations::imap_resynced),
    figure("imap/resync_heap_growth", Growth, AtMost(1.2), allocations::imap_resync_growth),
    figure("imap/copy_100_mib_heap", Octets, AtMost(KIB * KIB), allocations::imap_copied),
    figure("imap/append_100_mib_heap", Octets, AtMost(KIB * KIB), allocations::imap_appended),
    // A thousand are kept, and all others counted.
    figure("imap/flood_1_000_000_heap", Octets, AtMost(KIB * KIB), allocations::imap_flooded),
    figure("imap/literal_growth", Growth, AtMost(1.2), || growth(&imap::LITERAL_10_KIB_BY_OCTETS, &imap::LITERAL_1_MIB_BY_OCTETS)),
    figure("imap/line_growth", Growth, AtMost(1.2), || growth(&imap::LINE_10_KIB_BY_OCTETS, &imap::LINE_1_MIB_BY_OCTETS)),
    figure("imap/lists_growth", Growth, AtMost(1.2), || growth(&imap::LISTS_10_KIB, &imap::LISTS_1_MIB)),
    #[cfg(feature = "compress")]
    figure("imap/compress_metadata_10_000", Share, AtMost(0.2), compressed::metadata_of_10_000),
    // Core and driver.
    figure("imap/one_octet_read_instructions", Instructions, AtMost(250.0), || one_octet_read(&imap::LITERAL_64_KIB_BY_OCTETS, &imap::LITERAL_64_KIB)),
    figure("imap/one_octet_read_line_instructions", Instructions, AtMost(250.0), || one_octet_read(&imap::LINE_64_KIB_BY_OCTETS, &imap::LINE_64_KIB)),
    figure("imap/search_growth", Growth, AtMost(1.2), search_growth),
    figure("imap/fetch_metadata_time", TimesFloor, Limit::None, wall::imap_metadata),
    figure("imap/fetch_metadata_rate", MessagesPerSecond, Limit::None, wall::imap_metadata_rate),
    // The floor over TCP is the one that counts. That in memory fills one buffer over and over, and we
    // one for each body; it shows best what is our own (docs/design.md).
    figure("imap/fetch_1000_bodies_time", TimesFloor, Limit::None, wall::imap_bodies),
    figure("imap/fetch_1000_bodies_over_tcp_time", TimesFloor, Limit::None, wall::imap_bodies_over_tcp),
    figure("imap/copy_100_mib_time", TimesFloor, Limit::None, wall::imap_copied),

    // TCP, TLS, greeting, CAPA, AUTH in two steps, STAT.
    figure("pop/connect", RoundTrips, AtMost(7.0), round_trips::pop_connect),
    // CAPA and STLS more.
    figure("pop/connect_stls", RoundTrips, AtMost(9.0), round_trips::pop_connect_stls),
    figure("pop/retr", RoundTrips, AtMost(1.0), round_trips::pop_retr),
    figure("pop/retr_20_kib_instructions", Instructions, AtMost(60_000.0), || instructions::each(&pop::RETR_20_KIB, 50)),
    figure("pop/retr_20_kib_allocations", Allocations, AtMost(6.0), || allocations::each(&pop::RETR_20_KIB)),
    // From the first RETR on. The window holds some 400 commands.
    figure("pop/retr_all_1000_of_20_kib", RoundTrips, AtMost(4.0), round_trips::pop_retr_all_pipelined),
    figure("pop/retr_all_each_without_pipelining", RoundTrips, AtMost(1.0), round_trips::pop_retr_all_one_by_one),
    figure("pop/retr_all_20_kib_instructions", Instructions, AtMost(60_000.0), || instructions::each(&pop::RETR_ALL_20_KIB, pop::BATCH)),
    figure("pop/retr_all_20_kib_allocations", Allocations, AtMost(6.0), || allocations::each(&pop::RETR_ALL_20_KIB)),
    figure("pop/read_100_mib_heap", Octets, AtMost(KIB * KIB), allocations::pop_read),
    figure("pop/unstuffing_growth", Growth, AtMost(1.2), || growth(&pop::RETR_10_KIB_BY_OCTETS, &pop::RETR_1_MIB_BY_OCTETS)),
    figure("pop/retr_100_mib_time", TimesFloor, Limit::None, wall::pop_retr),
    figure("pop/read_100_mib_time", TimesFloor, Limit::None, wall::pop_read),

    // Each caller that did not wait for the answer to another would be one more.
    #[cfg(feature = "oauth")]
    figure("token/thousand_callers_requests", Requests, AtMost(1.0), requests::of_a_thousand_callers),
    figure("token/cached_hit_instructions", Instructions, AtMost(2_000.0), || instructions::each(&token::HIT, 1000)),
    figure("token/cached_hit_allocations", Allocations, AtMost(1.0), || allocations::each(&token::HIT)),
    figure("token/cached_hit_one_for_all_allocations", Allocations, AtMost(1.0), || allocations::each(&token::HIT_ONE_FOR_ALL)),

    figure("build/crates", Crates, AtMost(31.0), build::crates),
];

const fn figure(name: &'static str, unit: Unit, limit: Limit, measure: fn() -> Measured) -> Figure {
    Figure { name, unit, limit, measure }
}

/// What an octet of 1 MiB costs over what one of 10 KiB costs.
fn growth(small: &Workload, large: &Workload) -> Measured {
    let small = instructions::each(small, 8)? / (10.0 * KIB);
    let large = instructions::between(large, 0, 1)? / (KIB * KIB);
    Ok(large / small)
}

/// What one number costs among 1,000,000 that a search has found over what it costs among 100,000.
fn search_growth() -> Measured {
    let few = instructions::between(&imap::SEARCH_100_000, 0, 1)?;
    let many = instructions::between(&imap::SEARCH_1_000_000, 0, 1)?;
    Ok(many / few / 10.0)
}

/// What the metadata of a message cost over what of it are the parser and whoever looks at every
/// field: the rest are core, driver and client.
fn client_over_parser() -> Measured {
    const PARSER: [&str; 3] =
        ["*::response::Response::parse", "*::message::Message::parse", "*::imap::look_at"];
    let all = instructions::each(&imap::METADATA, 640)?;
    Ok(all / instructions::each_within(&imap::METADATA, 640, &PARSER)?)
}

/// What an octet costs more if it comes alone than if it comes with 64 KiB of others.
fn one_octet_read(alone: &Workload, together: &Workload) -> Measured {
    let alone = instructions::each(alone, 2)?;
    let together = instructions::each(together, 20)?;
    let replay = instructions::each(&imap::OCTETS_64_KIB, 2)?;
    Ok((alone - together - replay) / (64.0 * KIB))
}

/// The argument with which `instructions` runs this program.
const WORKLOAD: &str = "workload";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [WORKLOAD, name, items] => work(name, items),
        // Cargo runs the program in this way as a test, too.
        _ if !arguments.iter().any(|argument| argument == "--bench") => {
            eprintln!("figures are measured by `cargo bench --bench figures`");
            ExitCode::SUCCESS
        }
        _ => measure(|figure| {
            let mut words = arguments.iter().filter(|argument| !argument.starts_with("--"));
            words.clone().next().is_none() || words.any(|word| figure.name.contains(word.as_str()))
        }),
    }
}

fn measure(chosen: impl Fn(&Figure) -> bool) -> ExitCode {
    let missed = FIGURES
        .iter()
        .filter(|figure| chosen(figure))
        .filter(|figure| figure.run() == Verdict::Miss)
        .count();
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(name: &str, items: &str) -> ExitCode {
    let done = match (Workload::named(name), items.parse()) {
        (Some(workload), Ok(items)) => workload.run(items),
        _ => Err(format!("no workload {name} of {items} items")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` where nothing but itself decides who runs next.
fn single_threaded<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        // A client that waits for what never comes is a figure that was not measured.
        let limit = std::time::Duration::from_secs(120);
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_| Err(format!("not done after {limit:?}")))
    })
}

/// Why a client or a provider failed.
fn said(failure: impl mailbearer::Failure) -> String {
    failure.to_string()
}
