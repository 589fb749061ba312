/* Instructions of operating systems: control registers, descriptor tables, ports, the interrupt
 * flag. Whether the current level may is asked here; what it does then is for monitor/cpu/. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_SYSTEM_H
#define MONITOR_INSTRUCTIONS_INTERPRET_SYSTEM_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_mov_to_control, interpret_mov_from_control;
interpret_handler interpret_mov_to_debug, interpret_mov_from_debug;
interpret_handler interpret_clts, interpret_smsw, interpret_lmsw;
interpret_handler interpret_sgdt, interpret_sidt, interpret_lgdt, interpret_lidt;
interpret_handler interpret_sldt, interpret_str, interpret_lldt, interpret_ltr;
interpret_handler interpret_lar, interpret_lsl, interpret_verr, interpret_verw, interpret_arpl;
interpret_handler interpret_cli, interpret_sti, interpret_hlt;
interpret_handler interpret_invlpg, interpret_wbinvd;
interpret_handler interpret_cpuid, interpret_rdtsc, interpret_rdpmc, interpret_rdmsr,
        interpret_wrmsr;
interpret_handler interpret_in, interpret_out;

#endif
