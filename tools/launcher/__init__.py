"""What stands behind ./ringfence and tools/make-iso. Reading order: main, options, kernels,
plan, machine, qemu, bochs, session. Python's standard library only."""
