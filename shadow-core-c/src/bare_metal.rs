//! Where there is no operating system: memory and the end of a panic come from the C program.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_void};
use core::panic::PanicInfo;

unsafe extern "C" {
    /// Memory of `size` bytes at an address that `align`, a power of two, divides; NULL when there is
    /// none, after which `shadow_panic` is called. Called with a size of at least 1.
    fn shadow_malloc(size: usize, align: usize) -> *mut c_void;

    /// Gives back what `shadow_malloc` gave.
    fn shadow_free_memory(memory: *mut c_void);

    /// The library has a bug, or no memory; the file has `file_length` bytes and no NUL behind them.
    /// Must not return, which is undefined behaviour, and must not call the library: reset, or wait
    /// for the watchdog.
    fn shadow_panic(file: *const c_char, file_length: usize, line: u32) -> !;
}

struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

// SAFETY: both functions keep to what the C program promises of its own.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the C program's.
        unsafe { shadow_malloc(layout.size(), layout.align()) }.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: it came from there.
        unsafe { shadow_free_memory(memory.cast()) };
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info
        .location()
        .map_or(("", 0), |location| (location.file(), location.line()));
    // SAFETY: the C program's.
    unsafe { shadow_panic(file.as_ptr().cast(), file.len(), line) }
}
