//! A process that outlives this one and holds nothing of it.
//!
//! Invariant: it gets three handles, which are its standard streams, and no other, whatever this process inherited itself;
//! it has no console, is in a process group of its own, and leaves the caller's job object where that allows it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::os::windows::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::SYNCHRONIZE;
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    DETACHED_PROCESS, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess,
    INFINITE, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST, OpenProcess,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    UpdateProcThreadAttribute, WaitForSingleObject,
};

use crate::wide::{check, terminated};

/// What a process always gets.
const FLAGS: u32 =
    EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;

/// What to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The program; a bare name is looked up in `PATH`, and nowhere else.
    pub program: &'a Path,
    /// What follows its name on the command line.
    pub args: &'a [OsString],
    /// Variables on top of this process's own.
    pub variables: &'a [(&'a str, &'a OsStr)],
    /// Its directory.
    pub directory: &'a Path,
    /// Where its output and its errors go.
    pub output: File,
}

/// A process that was started here. Dropping this leaves it running.
#[derive(Debug)]
pub struct Process {
    handle: OwnedHandle,
}

impl Launch<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// The system's error: no such program, for instance.
    pub fn start(self) -> io::Result<Process> {
        let program = find(self.program)?;
        let application = terminated(program.as_os_str())?;
        let mut command_line = command_line(&program, self.args)?;
        let environment = environment(self.variables)?;
        let directory = terminated(self.directory.as_os_str())?;
        let streams = Streams::new(self.output)?;
        let started = streams.hand_over(|startup| {
            let mut start = |flags| {
                let mut process = PROCESS_INFORMATION::default();
                // SAFETY: all texts end with a zero, the environment with two; the command line may be written to, as
                // the call asks; the start-up information says by its size and a flag that it is the extended one.
                check(unsafe {
                    CreateProcessW(
                        application.as_ptr(),
                        command_line.as_mut_ptr(),
                        ptr::null(),
                        ptr::null(),
                        1,
                        flags,
                        environment.as_ptr().cast(),
                        directory.as_ptr(),
                        (&raw const *startup).cast(),
                        &raw mut process,
                    )
                })
                .map(|()| process)
            };
            match start(FLAGS | CREATE_BREAKAWAY_FROM_JOB) {
                // The caller's job object does not let anybody go: better a daemon that ends with it than none.
                Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => start(FLAGS),
                started => started,
            }
        })?;
        // SAFETY: the call succeeded, so both handles are valid and ours to close.
        let (handle, _thread) = unsafe {
            (OwnedHandle::from_raw_handle(started.hProcess), OwnedHandle::from_raw_handle(started.hThread))
        };
        Ok(Process { handle })
    }
}

impl Process {
    /// Waits for its end.
    ///
    /// # Errors
    /// The system's error.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        // SAFETY: the handle is ours, hence open, and may be waited for.
        if unsafe { WaitForSingleObject(self.handle.as_raw_handle(), INFINITE) } != WAIT_OBJECT_0 {
            return Err(io::Error::last_os_error());
        }
        let mut code = 0;
        // SAFETY: the handle is ours, hence open; `code` lives through the call.
        check(unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &raw mut code) })?;
        Ok(ExitStatus::from_raw(code))
    }
}

/// Whether a process with this id runs. One that may not be looked at counts as running.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    // SAFETY: no memory is handed over.
    let handle = unsafe { OpenProcess(SYNCHRONIZE, 0, pid) };
    if handle.is_null() {
        return io::Error::last_os_error().raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed());
    }
    // SAFETY: the handle is not null, so it is valid and ours to close.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is ours, hence open, and may be waited for.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT }
}

/// The three standard streams: no input, one file for all output.
struct Streams {
    input: File,
    output: File,
}

impl Streams {
    fn new(output: File) -> io::Result<Self> {
        let input = File::open("NUL")?;
        for file in [&input, &output] {
            // SAFETY: the handle is the file's, hence open.
            check(unsafe {
                SetHandleInformation(file.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)
            })?;
        }
        Ok(Self { input, output })
    }

    /// Calls `start` with start-up information that passes on these streams and no other handle.
    fn hand_over<T>(&self, start: impl FnOnce(&STARTUPINFOEXW) -> io::Result<T>) -> io::Result<T> {
        let handles = [self.input.as_raw_handle(), self.output.as_raw_handle()];
        let list = HandleList::new(&handles)?;
        let mut startup = STARTUPINFOEXW::default();
        startup.StartupInfo.cb = u32::try_from(size_of::<STARTUPINFOEXW>()).map_err(io::Error::other)?;
        startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        startup.StartupInfo.hStdInput = handles[0];
        startup.StartupInfo.hStdOutput = handles[1];
        startup.StartupInfo.hStdError = handles[1];
        startup.lpAttributeList = list.pointer;
        start(&startup)
    }
}

/// The attribute that names the handles to pass on.
struct HandleList<'a> {
    pointer: LPPROC_THREAD_ATTRIBUTE_LIST,
    _room: Vec<u64>,
    _handles: &'a [HANDLE],
}

impl<'a> HandleList<'a> {
    fn new(handles: &'a [HANDLE]) -> io::Result<Self> {
        let mut bytes = 0;
        // SAFETY: without a list the call only says how many bytes one takes, and fails by design.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut bytes) };
        let mut room = vec![0_u64; bytes.div_ceil(size_of::<u64>())];
        let pointer = room.as_mut_ptr().cast();
        // SAFETY: the room has at least `bytes` bytes, aligned for pointers, and moves only as a vector: its content stays.
        check(unsafe { InitializeProcThreadAttributeList(pointer, 1, 0, &raw mut bytes) })?;
        let list = Self { pointer, _room: room, _handles: handles };
        // SAFETY: the list is initialised for one attribute; the handles outlive it, as its lifetime says.
        check(unsafe {
            UpdateProcThreadAttribute(
                pointer,
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        })?;
        Ok(list)
    }
}

impl Drop for HandleList<'_> {
    fn drop(&mut self) {
        // SAFETY: the list was initialised, and its room is still there.
        unsafe { DeleteProcThreadAttributeList(self.pointer) };
    }
}

/// The program's file. The system itself would also look in the present directory, where anybody may have put one.
fn find(program: &Path) -> io::Result<PathBuf> {
    let is_bare = program.components().count() == 1 && !program.is_absolute();
    if !is_bare {
        return std::path::absolute(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = [program.to_owned(), program.with_extension("exe")];
    let candidates =
        std::env::split_paths(&path).flat_map(|folder| names.clone().map(|name| folder.join(name)));
    let mut programs = candidates.filter(|candidate| candidate.is_absolute() && candidate.is_file());
    programs.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in PATH"))
}

/// The command line from which the program's runtime takes its arguments apart again: each in quotes, a quote inside and the
/// backslashes before one escaped.
fn command_line(program: &Path, args: &[OsString]) -> io::Result<Vec<u16>> {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    let mut line = Vec::new();
    for argument in std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str)) {
        if !line.is_empty() {
            line.push(u16::from(b' '));
        }
        line.push(QUOTE);
        let mut backslashes = 0;
        let units = terminated(argument)?;
        for unit in units[..units.len() - 1].iter().copied() {
            if unit == QUOTE {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
            }
            backslashes = if unit == BACKSLASH { backslashes + 1 } else { 0 };
            line.push(unit);
        }
        line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
        line.push(QUOTE);
    }
    line.push(0);
    Ok(line)
}

/// This process's environment with `variables` on top: `NAME=value` one after the other, ordered by name as the system
/// wants it, each with a zero at its end and one more behind the last.
fn environment(variables: &[(&str, &OsStr)]) -> io::Result<Vec<u16>> {
    let is_replaced = |name: &OsStr| variables.iter().any(|(new, _)| name.eq_ignore_ascii_case(new));
    let kept = std::env::vars_os().filter(|(name, _)| !is_replaced(name));
    let added = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let mut all: Vec<_> = kept.chain(added).collect();
    all.sort_by_cached_key(|(name, _)| name.to_ascii_uppercase());
    let mut block = Vec::new();
    for (name, value) in all {
        block.extend(name.encode_wide().chain([u16::from(b'=')]));
        block.extend(terminated(&value)?);
    }
    block.push(0);
    Ok(block)
}

#[cfg(test)]
mod tests;
