/* String instructions, those of ports included, and what repeats them.
 *
 * Each iteration is complete in itself: registers are moved on once its memory has been accessed.
 * A fault or an interrupt between two finds eip still at the instruction and goes on from there. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_STRINGS_H
#define MONITOR_INSTRUCTIONS_INTERPRET_STRINGS_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_movs, interpret_cmps, interpret_stos, interpret_lods, interpret_scas;
interpret_handler interpret_ins, interpret_outs;

#endif
