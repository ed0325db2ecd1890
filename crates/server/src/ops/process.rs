//! Memory and open files of the process, read when somebody asks.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

/// Under the names every Prometheus client uses. What the system does not tell is left out.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let unit = Some(&Unit::Bytes);
        let memory = resident_bytes();
        gauge(
            &mut encoder,
            "process_resident_memory",
            "Resident memory",
            unit,
            memory,
        )?;
        let open = fs::read_dir("/proc/self/fd").ok();
        let open = open.and_then(|entries| i64::try_from(entries.count()).ok());
        gauge(&mut encoder, "process_open_fds", "Open files", None, open)?;
        let max = getrlimit(Resource::Nofile).current;
        let max = max.and_then(|max| i64::try_from(max).ok());
        gauge(
            &mut encoder,
            "process_max_fds",
            "Most open files",
            None,
            max,
        )
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: Option<i64>,
) -> Result<(), fmt::Error> {
    let Some(value) = value else { return Ok(()) };
    let gauge = ConstGauge::new(value);
    let encoder = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
    gauge.encode(encoder)
}

fn resident_bytes() -> Option<i64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(i64::try_from(rustix::param::page_size()).ok()?)
}
