//! What mailbearer costs: `cargo bench --bench figures`.
//!
//! One line each, `figure AREA/NAME VALUE UNIT LIMIT ok|MISS|info`. Round trips, instructions,
//! allocations, heap and growth are the same on every machine, so they have limits, and the program
//! fails if one is missed or could not be measured. Times depend on the machine: they are given
//! only for information, and only as a ratio to a hand-written floor measured in the same run.
//!
//! Words behind `--` choose figures: `cargo bench --bench figures -- smtp/ token/`.

mod allocations;
mod build;
mod figure;
mod instructions;
mod link;
mod replay;
mod round_trips;
mod server;
mod workloads;

use std::process::ExitCode;

use figure::Unit::{Allocations, Crates, Growth, Instructions, RoundTrips};
use figure::{Figure, Limit, Limit::AtMost, Measured, Unit, Verdict};
use workloads::{
    POP_RETR, POP_RETR_LARGE_IN_OCTETS, POP_RETR_SMALL_IN_OCTETS, TOKEN_HIT, TOKEN_HIT_ONE,
    Workload,
};

const KIB: f64 = 1024.0;

#[rustfmt::skip]
const FIGURES: &[Figure] = &[
    // TCP, TLS, greeting, CAPA, AUTH in two steps, STAT.
    figure("pop/connect", RoundTrips, AtMost(7.0), round_trips::pop_connect),
    // CAPA and STLS more.
    figure("pop/connect_stls", RoundTrips, AtMost(9.0), round_trips::pop_connect_stls),
    figure("pop/retr", RoundTrips, AtMost(1.0), round_trips::pop_retr),
    figure("pop/retr_20_kib_instructions", Instructions, AtMost(60_000.0), || instructions::each(&POP_RETR, 50)),
    figure("pop/retr_20_kib_allocations", Allocations, AtMost(8.0), || allocations::each(&POP_RETR)),
    figure("pop/unstuffing_growth", Growth, AtMost(1.2), || growth(&POP_RETR_SMALL_IN_OCTETS, &POP_RETR_LARGE_IN_OCTETS)),

    figure("token/cached_hit_instructions", Instructions, AtMost(1000.0), || instructions::each(&TOKEN_HIT, 1000)),
    figure("token/cached_hit_allocations", Allocations, AtMost(1.0), || allocations::each(&TOKEN_HIT)),
    figure("token/cached_hit_one_for_all_allocations", Allocations, AtMost(1.0), || allocations::each(&TOKEN_HIT_ONE)),

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
