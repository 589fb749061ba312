/* A page walk of its own, for each byte anew and straight from the manual's formats, in a machine
 * of its own: what memory/page_walk.c and the buffer above it are compared with.
 *
 * It must not include anything of either. */
#ifndef TESTS_MONITOR_MEMORY_PLAIN_WALK_H
#define TESTS_MONITOR_MEMORY_PLAIN_WALK_H

#include "tests/monitor/memory/small_machine.h"

enum access { READ, WRITE, EXECUTE };

static struct small_machine plain;

static inline uint64_t plain_entry(uint64_t at, bool wide)
{
	if (at >= SMALL_RAM)
		return wide ? UINT64_MAX : UINT32_MAX;
	return wide ? small_get64(&plain, (uint32_t)at) : small_get32(&plain, (uint32_t)at);
}

static inline void plain_set(uint64_t at, uint32_t bits)
{
	if (at < SMALL_RAM)
		small_put32(&plain, (uint32_t)at, small_get32(&plain, (uint32_t)at) | bits);
}

static inline int plain_translate_pae(const struct vcpu *vcpu, uint32_t at, enum access access,
                                      bool user, uint64_t *physical)
{
	bool nx = vcpu->efer & VCPU_EFER_NXE;
	int base = (access == WRITE) * 2 + user * 4 + (access == EXECUTE && nx) * 16;
	uint64_t bad = 0x7FFFFFF000000000ull | (nx ? 0 : BIT_XD);
	uint64_t pointer = vcpu->pdptes[at >> 30];
	if (!(pointer & BIT_P))
		return base;
	uint64_t pde_at = (pointer & 0xFFFFFF000ull) + 8 * (at >> 21 & 511);
	uint64_t pde = plain_entry(pde_at, true), pte = pde, pte_at = pde_at;
	if (!(pde & BIT_P))
		return base;
	if (pde & (bad | (pde & BIT_PS ? 0x1FE000 : 0)))
		return base | 9;
	if (!(pde & BIT_PS)) {
		pte_at = (pde & 0xFFFFFF000ull) + 8 * (at >> 12 & 511);
		pte = plain_entry(pte_at, true);
		if (!(pte & BIT_P))
			return base;
		if (pte & bad)
			return base | 9;
	}
	uint64_t rights = pde & pte;
	if ((user && !(rights & BIT_US)) || (access == EXECUTE && ((pde | pte) & BIT_XD)))
		return base | 1;
	if (access == WRITE && !(rights & BIT_RW) && (user || (vcpu->cr0 & VCPU_CR0_WP)))
		return base | 1;
	plain_set(pde_at, BIT_A);
	plain_set(pte_at, BIT_A | (access == WRITE ? BIT_D : 0));
	*physical = pde & BIT_PS ? (pde & 0xFFFE00000ull) + (at & 0x1FFFFF)
	                         : (pte & 0xFFFFFF000ull) + (at & 0xFFF);
	return -1;
}

static inline int plain_translate_two(const struct vcpu *vcpu, uint32_t at, enum access access,
                                      bool user, uint64_t *physical)
{
	int base = (access == WRITE) * 2 + user * 4;
	uint64_t pde_at = (vcpu->cr3 & 0xFFFFF000) + 4 * (at >> 22);
	uint32_t pde = (uint32_t)plain_entry(pde_at, false), pte = pde;
	uint64_t pte_at = pde_at;
	bool large = (pde & BIT_PS) && (vcpu->cr4 & VCPU_CR4_PSE);
	if (!(pde & BIT_P))
		return base;
	if (large && (pde & 0x3FE000))
		return base | 9;
	if (!large) {
		pte_at = (pde & 0xFFFFF000) + 4ull * (at >> 12 & 1023);
		pte = (uint32_t)plain_entry(pte_at, false);
		if (!(pte & BIT_P))
			return base;
	}
	if (user && !(pde & pte & BIT_US))
		return base | 1;
	if (access == WRITE && !(pde & pte & BIT_RW) && (user || (vcpu->cr0 & VCPU_CR0_WP)))
		return base | 1;
	plain_set(pde_at, BIT_A);
	plain_set(pte_at, BIT_A | (access == WRITE ? BIT_D : 0));
	*physical =
	        large ? (pde & 0xFFC00000) + (at & 0x3FFFFF) : (pte & 0xFFFFF000) + (at & 0xFFF);
	return -1;
}

static inline int plain_translate(const struct vcpu *vcpu, uint32_t at, enum access access,
                                  bool user, uint64_t *physical)
{
	return vcpu->cr4 & VCPU_CR4_PAE ? plain_translate_pae(vcpu, at, access, user, physical)
	                                : plain_translate_two(vcpu, at, access, user, physical);
}

#endif
