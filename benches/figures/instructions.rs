//! Instructions, counted by callgrind.
//!
//! This program runs itself under valgrind with the name of a workload and a number of items, twice
//! with different numbers. The difference is the cost of the items alone: what it takes to start
//! and to connect is in both.

use std::process::Command;

use crate::figure::Measured;
use crate::workloads::Workload;

/// Instructions for each of `items`.
pub(crate) fn each(workload: &Workload, items: u64) -> Measured {
    between(workload, items, 2 * items)
}

/// Instructions for each item that the second run has more than the first.
pub(crate) fn between(workload: &Workload, few: u64, many: u64) -> Measured {
    let (less, more) = (counted(workload, few, &[])?, counted(workload, many, &[])?);
    Ok((more - less) / (many - few) as f64)
}

/// Instructions for each of `items` within these functions, and in what they call. They must not
/// call each other.
pub(crate) fn each_within(workload: &Workload, items: u64, functions: &[&str]) -> Measured {
    match counted(workload, items, functions)? {
        0.0 => Err(format!("none of {functions:?} is called")),
        instructions => Ok(instructions / items as f64),
    }
}

fn counted(workload: &Workload, items: u64, only_within: &[&str]) -> Measured {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(only_within.iter().map(|function| format!("--toggle-collect={function}")))
        .arg(program)
        .args([crate::WORKLOAD, workload.name, &items.to_string()])
        // valgrind counts every octet that `rep movsb` moves as an instruction, and whether glibc
        // copies so depends on the processor.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM")
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} under valgrind: {}", workload.name, said.trim()));
    }
    // `==123== Collected : 456`
    said.lines()
        .find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok())
        .ok_or_else(|| format!("valgrind names no count: {}", said.trim()))
}
