/* x87, MMX and SSE: run by the real unit, on the guest's state.
 *
 * An instruction is written anew with its memory operand redirected to a buffer of ours, and its
 * general register, if it has one, always EAX. Guest memory is read before and written after. What
 * the unit finds wrong becomes the guest's fault. It must not know how the unit is reached: that is
 * for struct vm_unit. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_UNIT_H
#define MONITOR_INSTRUCTIONS_INTERPRET_UNIT_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_x87, interpret_fwait, interpret_mmx, interpret_sse, interpret_fxsave;

#endif
