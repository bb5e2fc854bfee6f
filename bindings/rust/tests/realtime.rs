//! What is real-time in the ABI stays so: no function of Rust allocates in it.

#![allow(clippy::declare_interior_mutable_const)] // which old versions say of thread_local

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use librnn::{step_many, step_many_index, Config, Network, Tape, Trainer};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        System.dealloc(memory, layout)
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn stepping_allocates_nothing() {
    let mut first = Network::new(&Config::new(2).hidden_size(8).output_size(2)).unwrap();
    let mut second = first.clone();
    first.keep_history(4).unwrap();
    let (mut y, mut block, mut state) = ([0.0; 2], [0.0; 8], [0.0; 8]);
    let count = allocations(|| {
        first.step(&[0.1, 0.2], &mut y).unwrap();
        first.step_index(1, &mut y).unwrap();
        first.advance(&[0.1, 0.2]).unwrap();
        first.rewind(1).unwrap();
        first.step_block(&[0.1; 8], &mut block).unwrap();
        first.step_block_index(&[0, 1, 0, 1], &mut block).unwrap();
        first.rollout(&[0.1, 0.2], &mut block).unwrap();
        step_many(&mut [&mut first, &mut second], &[0.1; 4], &mut block[..4]).unwrap();
        step_many_index(&mut [&mut first, &mut second], &[0, 1], &mut block[..4]).unwrap();
        first.read_state(&mut state).unwrap();
        first.set_state(&state).unwrap();
        first.reset();
    });
    assert_eq!(count, 0);
    assert_ne!(allocations(|| drop(first.state())), 0);
}

#[test]
fn handles_may_go_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<Network>();
    is_send::<Trainer<'_>>();
    is_send::<Tape>();
}
