/*
 * The loops of loops.asm: each does its operation as often as it is told, and nothing else that
 * its baseline does not do as well. What they work on must be there before: see setting.h.
 */
#pragma once

#include <stdint.h>

/* As catch.h wants them; what they return means nothing. */
uint32_t loop_empty(uint32_t times);
uint32_t loop_syscall(uint32_t times);
uint32_t loop_in(uint32_t times);
uint32_t loop_poll(uint32_t times);
uint32_t loop_ready(uint32_t times);
uint32_t loop_cr3wr(uint32_t times);
uint32_t loop_callret(uint32_t times);
uint32_t loop_pgfault(uint32_t times);
uint32_t loop_pgfault_taken(uint32_t times);
uint32_t loop_pgfault_taken_baseline(uint32_t times);
uint32_t loop_divzero(uint32_t times);
uint32_t loop_ptemod(uint32_t times);
uint32_t loop_ptemod_baseline(uint32_t times);
uint32_t loop_remap(uint32_t times);
uint32_t loop_apic_read(uint32_t times);
uint32_t loop_apic_write(uint32_t times);
uint32_t loop_code_store(uint32_t times);
uint32_t loop_cli_sti(uint32_t times);
uint32_t loop_pushf_popf(uint32_t times);
uint32_t loop_iret(uint32_t times);
uint32_t loop_indirect_call(uint32_t times);
uint32_t loop_segment_load(uint32_t times);
uint32_t loop_far_call(uint32_t times);
/* Only an even number of times: afterwards stack and page tables are the first ones again. */
uint32_t loop_context_switch(uint32_t times);
uint32_t loop_interrupt(uint32_t times);
uint32_t loop_interrupt_baseline(uint32_t times);
uint32_t loop_cli(uint32_t times);
uint32_t loop_clts(uint32_t times);
uint32_t loop_straight(uint32_t times);

/* Handlers as short as they can be: what is measured is the way to them and back. */
extern const char loop_on_syscall[], loop_on_page_fault[], loop_on_divide_error[],
        loop_on_interrupt[];

/* What the loops work on. */
extern volatile uint32_t *loop_apic_register;
extern volatile uint32_t *loop_entry;        /* an entry of the page tables in use */
extern volatile uint32_t *loop_page;         /* what it maps */
extern volatile uint32_t *loop_hole;         /* an address that is not mapped */
extern uint32_t loop_root, loop_second_root; /* for CR3 */
