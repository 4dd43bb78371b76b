//! Gives up rights for good, by Landlock and seccomp, and becomes the server.
//!
//! Landlock bounds files, and TCP by port; seccomp takes away every other kind of socket, and the calls that lead around
//! either: `io_uring` makes sockets without `socket`, a first packet with data connects without `connect` (TCP Fast Open), MPTCP is not
//! TCP to Landlock, and tracing or borrowing descriptors of other processes needs no file.

use super::rules::Sandbox;
use anyhow::{Context as _, anyhow, ensure};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, NetPort, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What a kernel must be able to hold: files, and TCP by port (Linux 6.7). What later ones can is used where it is there.
const NEEDED: ABI = ABI::V4;
/// The newest that is used.
const NEWEST: ABI = ABI::V9;

/// Calls that lead out of the sandbox, or that no server needs and the kernel's history of faults is full of.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_kexec_load,
];

/// The kind of a socket without flags.
const KIND: u64 = 0xf;
/// `SOCK_PACKET`, which libc calls obsolete and the kernel still knows.
const PACKETS: libc::c_int = 10;
/// Kinds that are no stream.
const NO_STREAMS: &[libc::c_int] =
    &[libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, PACKETS];

/// Why this machine can't hold a sandbox; nothing if it can.
pub(crate) fn unsupported() -> Option<String> {
    let tried = ruleset(Some(0)).and_then(Ruleset::create);
    let landlock =
        tried.err().map(|error| format!("its kernel has no Landlock that bounds files and TCP (Linux 6.7): {error}"));
    landlock.or_else(|| filter(true).err().map(|error| format!("there is no filter of system calls for it: {error:#}")))
}

/// Gives up all rights but these and becomes the command. Returns only if that failed.
pub(crate) fn become_command(rules: &str, command: &[OsString]) -> anyhow::Error {
    match enter(rules) {
        Ok(()) => {}
        Err(error) => return error.context("can't enter the sandbox"),
    }
    let Some((program, arguments)) = command.split_first() else { return anyhow!("there is no command") };
    let error = Command::new(program).args(arguments).exec();
    anyhow::Error::new(error).context(format!("can't start `{}`", program.display()))
}

fn enter(rules: &str) -> anyhow::Result<()> {
    let sandbox: Sandbox = serde_json::from_str(rules).context("--rules is no sandbox")?;
    let filter = filter(sandbox.port.is_some())?;
    give_up_capabilities().context("capabilities")?;
    let bounded = bounded(&sandbox).context("Landlock")?;
    let status = bounded.restrict_self().context("Landlock")?;
    ensure!(status.no_new_privs, "the kernel does not give up new privileges");
    apply_filter(&filter).context("seccomp")
}

/// Root's rights beyond files: Landlock knows nothing of them, and some lead around it.
fn give_up_capabilities() -> rustix::io::Result<()> {
    let current = capabilities(None)?;
    if current.permitted.is_empty() {
        return Ok(());
    }
    clear_ambient_capability_set()?;
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // This kernel does not know it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error),
        }
    }
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..current })
}

fn bounded(sandbox: &Sandbox) -> Result<RulesetCreated, RulesetError> {
    let read = path_beneath_rules(&sandbox.read, AccessFs::from_read(NEWEST));
    let write = path_beneath_rules(&sandbox.write, AccessFs::from_all(NEWEST));
    let mut created = ruleset(sandbox.port)?.create()?.set_compatibility(CompatLevel::BestEffort);
    created = created.add_rules(read)?.add_rules(write)?;
    match sandbox.port {
        Some(port) => created.add_rule(NetPort::new(port, AccessNet::BindTcp)),
        None => Ok(created),
    }
}

/// Everything that is forbidden unless a rule allows it.
fn ruleset(port: Option<u16>) -> Result<Ruleset, RulesetError> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(AccessFs::from_all(NEEDED))?;
    if port.is_some() {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEEDED))?;
    }
    let ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
    ruleset.handle_access(AccessFs::from_all(NEWEST))?.scope(Scope::from_all(NEWEST))
}

/// The filter of system calls; without network, only TCP sockets can be made, and those that ask the kernel for its addresses.
fn filter(without_network: bool) -> anyhow::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    if without_network {
        rules.insert(libc::SYS_socket, sockets()?);
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            rules.insert(call, vec![SeccompRule::new(vec![has(flags, libc::MSG_FASTOPEN, libc::MSG_FASTOPEN)?])?]);
        }
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).context("this processor is not known")?;
    let refused = SeccompAction::Errno(u32::try_from(libc::EACCES)?);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?;
    Ok(BpfProgram::try_from(filter)?)
}

/// The sockets that are refused.
fn sockets() -> anyhow::Result<Vec<SeccompRule>> {
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let other =
        families.iter().map(|family| argument(0, SeccompCmpOp::Ne, *family)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut refused = vec![SeccompRule::new(other)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in NO_STREAMS {
            let kind = has(1, i32::try_from(KIND)?, *kind)?;
            refused.push(SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, family)?, kind])?);
        }
        let other = [0, libc::IPPROTO_TCP].map(|protocol| argument(2, SeccompCmpOp::Ne, protocol));
        let mut conditions = vec![argument(0, SeccompCmpOp::Eq, family)?];
        for condition in other {
            conditions.push(condition?);
        }
        refused.push(SeccompRule::new(conditions)?);
    }
    let netlink = argument(0, SeccompCmpOp::Eq, libc::AF_NETLINK)?;
    refused.push(SeccompRule::new(vec![netlink, argument(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE)?])?);
    Ok(refused)
}

/// An argument of a call, which is 32 bits wide.
fn argument(index: u8, operator: SeccompCmpOp, value: libc::c_int) -> anyhow::Result<SeccompCondition> {
    Ok(SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, u64::try_from(value)?)?)
}

/// An argument whose bits in `mask` are those of `value`.
fn has(index: u8, mask: libc::c_int, value: libc::c_int) -> anyhow::Result<SeccompCondition> {
    argument(index, SeccompCmpOp::MaskedEq(u64::try_from(mask)?), value)
}
