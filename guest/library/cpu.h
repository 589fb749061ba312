/*
 * The processor's system instructions as C functions, and the names of its bits.
 * Promises nothing beyond the instruction: each may fault, as the processor decides.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EFLAGS_CF     0x00000001u
#define EFLAGS_FIXED  0x00000002u
#define EFLAGS_ZF     0x00000040u
#define EFLAGS_TF     0x00000100u
#define EFLAGS_IF     0x00000200u
#define EFLAGS_DF     0x00000400u
#define EFLAGS_OF     0x00000800u
#define EFLAGS_IOPL   0x00003000u
#define EFLAGS_NT     0x00004000u
#define EFLAGS_RF     0x00010000u
#define EFLAGS_VM     0x00020000u
#define EFLAGS_AC     0x00040000u
#define EFLAGS_ID     0x00200000u
#define EFLAGS_IOPL_N 12

#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME        0x00000001u
#define CR4_PVI        0x00000002u
#define CR4_TSD        0x00000004u
#define CR4_DE         0x00000008u
#define CR4_PSE        0x00000010u
#define CR4_PAE        0x00000020u
#define CR4_PGE        0x00000080u
#define CR4_PCE        0x00000100u
#define CR4_OSFXSR     0x00000200u
#define CR4_OSXMMEXCPT 0x00000400u
#define CR4_UMIP       0x00000800u

/* CPUID leaf 1, EDX. */
#define CPUID1_EDX_FPU  (1u << 0)
#define CPUID1_EDX_DE   (1u << 2)
#define CPUID1_EDX_PSE  (1u << 3)
#define CPUID1_EDX_TSC  (1u << 4)
#define CPUID1_EDX_MSR  (1u << 5)
#define CPUID1_EDX_PAE  (1u << 6)
#define CPUID1_EDX_CX8  (1u << 8)
#define CPUID1_EDX_SEP  (1u << 11)
#define CPUID1_EDX_PGE  (1u << 13)
#define CPUID1_EDX_FXSR (1u << 24)
#define CPUID1_EDX_SSE  (1u << 25)
#define CPUID1_EDX_SSE2 (1u << 26)

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpu_id(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;
	__asm__ volatile("cpuid"
	                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
	                 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CPU_CONTROL_REGISTER(n)                                                 \
	static inline uint32_t cpu_read_cr##n(void)                             \
	{                                                                       \
		uint32_t value;                                                 \
		__asm__ volatile("movl %%cr" #n ", %0" : "=r"(value));          \
		return value;                                                   \
	}                                                                       \
	static inline void cpu_write_cr##n(uint32_t value)                      \
	{                                                                       \
		__asm__ volatile("movl %0, %%cr" #n : : "r"(value) : "memory"); \
	}
CPU_CONTROL_REGISTER(0)
CPU_CONTROL_REGISTER(2)
CPU_CONTROL_REGISTER(3)
CPU_CONTROL_REGISTER(4)
#undef CPU_CONTROL_REGISTER

#define CPU_DEBUG_REGISTER(n)                                                   \
	static inline uint32_t cpu_read_dr##n(void)                             \
	{                                                                       \
		uint32_t value;                                                 \
		__asm__ volatile("movl %%dr" #n ", %0" : "=r"(value));          \
		return value;                                                   \
	}                                                                       \
	static inline void cpu_write_dr##n(uint32_t value)                      \
	{                                                                       \
		__asm__ volatile("movl %0, %%dr" #n : : "r"(value) : "memory"); \
	}
CPU_DEBUG_REGISTER(0)
CPU_DEBUG_REGISTER(1)
CPU_DEBUG_REGISTER(2)
CPU_DEBUG_REGISTER(3)
CPU_DEBUG_REGISTER(6)
CPU_DEBUG_REGISTER(7)
#undef CPU_DEBUG_REGISTER

static inline uint32_t cpu_read_eflags(void)
{
	uint32_t value;
	__asm__ volatile("pushfl; popl %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_write_eflags(uint32_t value)
{
	__asm__ volatile("pushl %0; popfl" : : "r"(value) : "memory", "cc");
}

static inline uint16_t cpu_read_cs(void)
{
	uint32_t value;
	__asm__ volatile("movl %%cs, %0" : "=r"(value));
	return (uint16_t)value;
}

/* The current privilege level as the processor shows it in CS. */
static inline unsigned cpu_ring(void)
{
	return cpu_read_cs() & 3u;
}

static inline void cpu_disable_interrupts(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void cpu_enable_interrupts(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/* sti holds interrupts off for one instruction, so none can slip in before hlt. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

static inline void cpu_flush_page(uint32_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint64_t cpu_read_msr(uint32_t number)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_write_msr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
	                 :
	                 : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint64_t cpu_read_tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
