//! What the system says of itself.

/// The C library's name and version, where it tells.
#[must_use]
pub fn libc_version() -> Option<String> {
    platform::libc_version()
}

/// How many threads this process has, where the system tells.
#[must_use]
pub fn thread_count() -> Option<usize> {
    platform::thread_count()
}

#[cfg(target_os = "linux")]
mod platform {
    //! Linux: `/proc`.

    pub(super) fn thread_count() -> Option<usize> {
        use std::os::unix::fs::MetadataExt as _;
        // A directory has a link for each directory in it, and two of its own.
        let links = std::fs::metadata("/proc/self/task").ok()?.nlink();
        usize::try_from(links.checked_sub(2)?).ok()
    }

    #[cfg(target_env = "gnu")]
    pub(super) fn libc_version() -> Option<String> {
        // SAFETY: the function takes nothing and only returns an address.
        let version = unsafe { libc::gnu_get_libc_version() };
        // SAFETY: the address is that of a static text that ends in NUL.
        let version = unsafe { std::ffi::CStr::from_ptr(version) };
        version.to_str().ok().map(|version| format!("glibc {version}"))
    }

    #[cfg(not(target_env = "gnu"))]
    pub(super) fn libc_version() -> Option<String> {
        cfg!(target_env = "musl").then(|| "musl".to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    //! Systems that do not tell.

    pub(super) fn thread_count() -> Option<usize> {
        None
    }

    pub(super) fn libc_version() -> Option<String> {
        None
    }
}
