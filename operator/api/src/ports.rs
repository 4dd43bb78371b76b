//! The ports that Tollward listens on in every pod. They are fixed, so that a workload that wants one is refused at
//! admission instead of fighting for it at run time.

/// Where clients connect.
pub const PUBLIC: u16 = 64430;
/// Where probes and Prometheus connect.
pub const OBSERVE: u16 = 64431;
/// Where the operator connects.
pub const REPORT: u16 = 64432;
/// First port of the range that workloads may not use.
pub const FIRST: u16 = 64430;
/// Last port of the range that workloads may not use.
pub const LAST: u16 = 64439;

/// True if a workload may not use the port.
pub const fn is_reserved(port: i32) -> bool {
    port >= FIRST as i32 && port <= LAST as i32
}
