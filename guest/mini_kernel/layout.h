/*
 * The addresses of the mini kernel: who lives where. The linker script and entry.asm agree with it.
 */
#pragma once

#include <stdint.h>

#define KERNEL_BASE   0xC0000000u
#define KERNEL_MEMORY 0x08000000u /* physical memory that the kernel maps and uses at most */
#define BOOT_MEMORY   0x01000000u /* what entry.asm maps before the first line of C */

#define PROGRAM_BASE 0x00400000u
#define MAP_BASE     0x10000000u /* where tasks may map pages of their own */
#define MAP_END      0x20000000u
#define STACK_TOP    0xC0000000u
#define STACK_SIZE   0x00010000u

#define PAGE_SIZE    4096u
#define PAGE_PRESENT 0x001u
#define PAGE_WRITE   0x002u
#define PAGE_USER    0x004u
#define PAGE_COPY    0x200u /* a bit that the processor leaves to us: copy before writing */
#define PAGE_ADDRESS 0xFFFFF000u

#define KERNEL_DIRECTORY (KERNEL_BASE >> 22)

static inline void *layout_virtual(uint32_t physical)
{
	return (void *)(uintptr_t)(physical + KERNEL_BASE);
}

static inline uint32_t layout_physical(const void *address)
{
	return (uint32_t)(uintptr_t)address - KERNEL_BASE;
}
