//! The allocator: mimalloc, asked in its cheapest way, and never for nothing.
//!
//! The crate `mimalloc` asks for an alignment with every block, for which mimalloc has a slower path, and a much slower one
//! above 1 KiB; and it returns null where there is no memory, on which Rust may unwind, so that whatever is boxed has to be
//! built on the stack first and copied. Here most blocks are asked for as they are aligned anyway, and a lack of memory ends
//! the process at once, as it does in the end anyway.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait; there is nothing else in this file")]

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

/// How mimalloc aligns every block that is at least as large (`MI_MAX_ALIGN_SIZE`).
const NATURAL: usize = 16;

/// Asks mimalloc for memory.
pub(crate) struct Allocator;

// SAFETY: blocks come from mimalloc, which gives each out once until it is freed, with at least the size that was asked for,
// and aligned as was asked for: by itself where `is_natural` says so, and by its aligned functions elsewhere. Any of them may
// be given to `mi_free` and to either way to reallocate. Nothing here unwinds.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: mimalloc takes any size, and any alignment that a layout can have.
        let block = unsafe {
            match is_natural(layout) {
                true => mi_malloc(layout.size()),
                false => mi_malloc_aligned(layout.size(), layout.align()),
            }
        };
        there(block.cast())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe {
            match is_natural(layout) {
                true => mi_zalloc(layout.size()),
                false => mi_zalloc_aligned(layout.size(), layout.align()),
            }
        };
        there(block.cast())
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller has it from this allocator, and only mimalloc gave it blocks.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller has the block from this allocator, and sees to it that `size` with its alignment is a layout.
        let block = unsafe {
            match is_natural(Layout::from_size_align_unchecked(size, layout.align())) {
                true => mi_realloc(block.cast(), size),
                false => mi_realloc_aligned(block.cast(), size, layout.align()),
            }
        };
        there(block.cast())
    }
}

/// Has the system give this process no huge pages (`PR_SET_THP_DISABLE` in prctl(2)), for which mimalloc asks.
///
/// A proxy holds little, in many places: a page of 2 MiB is kept for the few of it that are in use. What that costs in time, and
/// what it saves in memory, is in docs/performance.md; `MIMALLOC_ALLOW_THP=1` in the environment lets them be, as mimalloc has
/// it. Where the system refuses, memory is all that it costs. Commands that bookend runs inherit it.
pub(crate) fn keep_to_small_pages() {
    if std::env::var_os("MIMALLOC_ALLOW_THP").is_none() {
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
}

/// Whether mimalloc aligns a block of that layout by itself. Smaller ones than their alignment are aligned to their size.
#[inline]
fn is_natural(layout: Layout) -> bool {
    layout.align() <= NATURAL && layout.align() <= layout.size()
}

/// The block, which is there.
#[inline]
fn there(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        give_up();
    }
    block
}

#[cold]
#[inline(never)]
fn give_up() -> ! {
    // Nobody is told if it cannot be written.
    let _ = std::io::stderr().write_all(b"bookend: out of memory\n");
    std::process::abort()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Sizes at both sides of the borders that mimalloc has.
    const SIZES: [usize; 19] = [
        1, 7, 8, 9, 15, 16, 17, 24, 48, 80, 127, 128, 1_023, 1_024, 1_025, 5_000, 65_536, 100_000, 1_000_000,
    ];

    fn layouts() -> impl Iterator<Item = Layout> {
        let aligns = (0..=16).map(|power| 1 << power);
        aligns.flat_map(|align| SIZES.map(|size| Layout::from_size_align(size, align).unwrap()))
    }

    /// Writes into all of a block, so that two that overlap would show.
    fn fill(block: *mut u8, size: usize, with: u8) {
        // SAFETY: the block was just given out with that size.
        unsafe { block.write_bytes(with, size) }
    }

    fn holds(block: *const u8, size: usize, with: u8) -> bool {
        // SAFETY: the block has that size, and all of it was written.
        unsafe { std::slice::from_raw_parts(block, size) }.iter().all(|&byte| byte == with)
    }

    #[test]
    fn blocks_are_aligned_apart_and_zeroed_on_demand() {
        // Several at once: the first block of a page is aligned better than the ones behind it.
        for layout in layouts().filter(|layout| layout.size() < 1_000_000) {
            let blocks: Vec<(*mut u8, u8)> = (1..8)
                .map(|number| {
                    // SAFETY: no layout here has no size.
                    let block = unsafe { Allocator.alloc_zeroed(layout) };
                    assert_eq!(block.addr() % layout.align(), 0, "{layout:?}");
                    assert!(holds(block, layout.size(), 0), "{layout:?}");
                    fill(block, layout.size(), number);
                    (block, number)
                })
                .collect();
            for (block, number) in blocks {
                assert!(holds(block, layout.size(), number), "{layout:?}");
                // SAFETY: it was given out with this layout and not freed yet.
                unsafe { Allocator.dealloc(block, layout) };
            }
        }
    }

    #[test]
    fn growing_and_shrinking_keeps_what_was_there_and_its_alignment() {
        for layout in layouts() {
            for size in SIZES {
                // SAFETY: no layout here has no size; the block is freed with the layout that it has by then.
                unsafe {
                    let block = Allocator.alloc(layout);
                    let kept = layout.size().min(size).min(100_000);
                    fill(block, kept, 7);
                    let block = Allocator.realloc(block, layout, size);
                    assert_eq!(block.addr() % layout.align(), 0, "{layout:?} to {size}");
                    assert!(holds(block, kept, 7), "{layout:?} to {size}");
                    Allocator.dealloc(block, Layout::from_size_align(size, layout.align()).unwrap());
                }
            }
        }
    }

    #[test]
    fn blocks_may_be_freed_by_another_thread() {
        let (sender, receiver) = std::sync::mpsc::channel::<Vec<Box<[u8; 700]>>>();
        let freeing = std::thread::spawn(move || {
            receiver.into_iter().map(|blocks| blocks.iter().filter(|block| block[699] == 9).count()).sum()
        });
        for _ in 0..100 {
            sender.send((0..100).map(|_| Box::new([9; 700])).collect()).unwrap();
        }
        drop(sender);
        let freed: usize = freeing.join().unwrap();
        assert_eq!(freed, 10_000);
    }
}
