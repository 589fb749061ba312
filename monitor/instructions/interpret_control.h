/* Where to go on: jumps, calls, returns, loops, software interrupts. Far ones only pass their
 * operands on to monitor/cpu/transfer.c. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_CONTROL_H
#define MONITOR_INSTRUCTIONS_INTERPRET_CONTROL_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_jcc, interpret_jmp, interpret_call, interpret_ret;
interpret_handler interpret_loop, interpret_loope, interpret_loopne, interpret_jecxz;
interpret_handler interpret_jmp_far, interpret_call_far, interpret_retf, interpret_iret;
interpret_handler interpret_int, interpret_int1, interpret_int3, interpret_into, interpret_bound;
interpret_handler interpret_undefined;

#endif
