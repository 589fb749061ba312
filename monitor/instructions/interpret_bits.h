/* Shifts, rotations, single bits and conditions as bytes. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_BITS_H
#define MONITOR_INSTRUCTIONS_INTERPRET_BITS_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_shl, interpret_shr, interpret_sar;
interpret_handler interpret_rol, interpret_ror, interpret_rcl, interpret_rcr;
interpret_handler interpret_shld, interpret_shrd;
interpret_handler interpret_bt, interpret_bts, interpret_btr, interpret_btc;
interpret_handler interpret_bsf, interpret_bsr, interpret_setcc;
interpret_handler interpret_clc, interpret_stc, interpret_cmc, interpret_cld, interpret_std;

#endif
