//! The program: everything but its allocator is in the library.

// Beside this file and not in the library, which leaves it to whoever links it how memory is had.
#[path = "main/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> std::process::ExitCode {
    allocator::keep_to_small_pages();
    bookend::cli::main()
}
