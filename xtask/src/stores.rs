//! Redis and Valkey, as Debian ships them. Valkey is in the backports of Debian 12.

use std::path::PathBuf;

use anyhow::Result;

use crate::debian::Set;
use crate::image::{self, Made, Pack};

const SET: Set = Set {
    name: "stores",
    about: "Redis and Valkey",
    packages: &[
        "redis-server",
        "redis-tools",
        "valkey-server",
        "valkey-tools",
        "libatomic1",
        "libhiredis0.14",
        "libjemalloc2",
        "liblua5.1-0",
        "liblzf1",
        "lua-bitop",
        "lua-cjson",
    ],
};

/// Fetches and unpacks what is missing; returns the folder that has `usr/bin` and `usr/lib`.
pub(crate) fn install() -> Result<PathBuf> {
    SET.install()
}

/// Makes an image of Valkey, which stands where the chart's own would: the same programs by the same names.
pub(crate) fn pack() -> Result<Made> {
    let folder = install()?;
    let program = |name: &str| folder.join("usr/bin").join(name);
    image::pack(&Pack {
        name: "valkey",
        about: "Valkey as Debian builds it, for tests",
        programs: &[
            ("/usr/bin/valkey-server", &program("valkey-server")),
            ("/usr/bin/valkey-cli", &program("valkey-cli")),
        ],
        files: &[],
        root: Some(&folder),
    })
}
