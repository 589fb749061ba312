#include "monitor/instructions/interpret_dispatch.h"

#include "monitor/cpu/identity.h"
#include "monitor/instructions/interpret_arithmetic.h"
#include "monitor/instructions/interpret_bits.h"
#include "monitor/instructions/interpret_control.h"
#include "monitor/instructions/interpret_data.h"
#include "monitor/instructions/interpret_strings.h"
#include "monitor/instructions/interpret_system.h"
#include "monitor/instructions/interpret_unit.h"

/* HANDLER_mnemonic, or HANDLER_feature_mnemonic where a later feature took an old name, or FAMILY_
 * for whatever a feature brought. Each expands to a comma and a handler, so that it comes second in
 * a list of arguments; what has no macro stays a single word, and the fallback comes second. */
#define SECOND(first, second, ...)  second
#define CHOOSE(candidate, fallback) SECOND(candidate, fallback, )

#define HANDLER_mov         , interpret_mov
#define HANDLER_push        , interpret_push
#define HANDLER_pop         , interpret_pop
#define HANDLER_xchg        , interpret_xchg
#define HANDLER_lea         , interpret_lea
#define HANDLER_movzx       , interpret_movzx
#define HANDLER_movsx       , interpret_movsx
#define HANDLER_xlat        , interpret_xlat
#define HANDLER_bswap       , interpret_bswap
#define HANDLER_enter       , interpret_enter
#define HANDLER_leave       , interpret_leave
#define HANDLER_lahf        , interpret_lahf
#define HANDLER_sahf        , interpret_sahf
#define HANDLER_nop         , interpret_nop
#define HANDLER_pause       , interpret_nop
#define HANDLER_sfence      , interpret_nop
#define HANDLER_lfence      , interpret_nop
#define HANDLER_mfence      , interpret_nop
#define HANDLER_prefetch    , interpret_nop
#define HANDLER_prefetchw   , interpret_nop
#define HANDLER_prefetchwt1 , interpret_nop
#define HANDLER_prefetchnta , interpret_nop
#define HANDLER_prefetcht0  , interpret_nop
#define HANDLER_prefetcht1  , interpret_nop
#define HANDLER_prefetcht2  , interpret_nop
#define HANDLER_cldemote    , interpret_nop
#define HANDLER_endbr32     , interpret_nop
#define HANDLER_endbr64     , interpret_nop
#define HANDLER_rdsspd      , interpret_nop
#define HANDLER_movnti      , interpret_mov
#define HANDLER_les         , interpret_load_far_pointer
#define HANDLER_lds         , interpret_load_far_pointer
#define HANDLER_lss         , interpret_load_far_pointer
#define HANDLER_lfs         , interpret_load_far_pointer
#define HANDLER_lgs         , interpret_load_far_pointer
#define HANDLER_pusha       , interpret_pusha
#define HANDLER_pushad      , interpret_pusha
#define HANDLER_popa        , interpret_popa
#define HANDLER_popad       , interpret_popa
#define HANDLER_pushf       , interpret_pushf
#define HANDLER_pushfd      , interpret_pushf
#define HANDLER_popf        , interpret_popf
#define HANDLER_popfd       , interpret_popf
#define HANDLER_cmovo       , interpret_cmov
#define HANDLER_cmovno      , interpret_cmov
#define HANDLER_cmovb       , interpret_cmov
#define HANDLER_cmovae      , interpret_cmov
#define HANDLER_cmovz       , interpret_cmov
#define HANDLER_cmovnz      , interpret_cmov
#define HANDLER_cmovbe      , interpret_cmov
#define HANDLER_cmova       , interpret_cmov
#define HANDLER_cmovs       , interpret_cmov
#define HANDLER_cmovns      , interpret_cmov
#define HANDLER_cmovp       , interpret_cmov
#define HANDLER_cmovnp      , interpret_cmov
#define HANDLER_cmovl       , interpret_cmov
#define HANDLER_cmovge      , interpret_cmov
#define HANDLER_cmovle      , interpret_cmov
#define HANDLER_cmovg       , interpret_cmov
#define HANDLER_add         , interpret_add
#define HANDLER_adc         , interpret_adc
#define HANDLER_sub         , interpret_sub
#define HANDLER_sbb         , interpret_sbb
#define HANDLER_cmp         , interpret_cmp
#define HANDLER_and         , interpret_and
#define HANDLER_or          , interpret_or
#define HANDLER_xor         , interpret_xor
#define HANDLER_test        , interpret_test
#define HANDLER_inc         , interpret_inc
#define HANDLER_dec         , interpret_dec
#define HANDLER_neg         , interpret_neg
#define HANDLER_not         , interpret_not
#define HANDLER_mul         , interpret_mul
#define HANDLER_imul        , interpret_imul
#define HANDLER_div         , interpret_div
#define HANDLER_idiv        , interpret_idiv
#define HANDLER_cmpxchg     , interpret_cmpxchg
#define HANDLER_cmpxchg8b   , interpret_cmpxchg8b
#define HANDLER_xadd        , interpret_xadd
#define HANDLER_daa         , interpret_daa
#define HANDLER_das         , interpret_das
#define HANDLER_aaa         , interpret_aaa
#define HANDLER_aas         , interpret_aas
#define HANDLER_aam         , interpret_aam
#define HANDLER_aad         , interpret_aad
#define HANDLER_salc        , interpret_salc
#define HANDLER_cbw         , interpret_cbw
#define HANDLER_cwde        , interpret_cbw
#define HANDLER_cwd         , interpret_cwd
#define HANDLER_cdq         , interpret_cwd
#define HANDLER_shl         , interpret_shl
#define HANDLER_shr         , interpret_shr
#define HANDLER_sar         , interpret_sar
#define HANDLER_rol         , interpret_rol
#define HANDLER_ror         , interpret_ror
#define HANDLER_rcl         , interpret_rcl
#define HANDLER_rcr         , interpret_rcr
#define HANDLER_shld        , interpret_shld
#define HANDLER_shrd        , interpret_shrd
#define HANDLER_bt          , interpret_bt
#define HANDLER_bts         , interpret_bts
#define HANDLER_btr         , interpret_btr
#define HANDLER_btc         , interpret_btc
#define HANDLER_bsf         , interpret_bsf
#define HANDLER_bsr         , interpret_bsr
#define HANDLER_tzcnt       , interpret_bsf
#define HANDLER_lzcnt       , interpret_bsr
#define HANDLER_seto        , interpret_setcc
#define HANDLER_setno       , interpret_setcc
#define HANDLER_setb        , interpret_setcc
#define HANDLER_setae       , interpret_setcc
#define HANDLER_setz        , interpret_setcc
#define HANDLER_setnz       , interpret_setcc
#define HANDLER_setbe       , interpret_setcc
#define HANDLER_seta        , interpret_setcc
#define HANDLER_sets        , interpret_setcc
#define HANDLER_setns       , interpret_setcc
#define HANDLER_setp        , interpret_setcc
#define HANDLER_setnp       , interpret_setcc
#define HANDLER_setl        , interpret_setcc
#define HANDLER_setge       , interpret_setcc
#define HANDLER_setle       , interpret_setcc
#define HANDLER_setg        , interpret_setcc
#define HANDLER_clc         , interpret_clc
#define HANDLER_stc         , interpret_stc
#define HANDLER_cmc         , interpret_cmc
#define HANDLER_cld         , interpret_cld
#define HANDLER_std         , interpret_std
#define HANDLER_movsb       , interpret_movs
#define HANDLER_movsw       , interpret_movs
#define HANDLER_movsd       , interpret_movs
#define HANDLER_cmpsb       , interpret_cmps
#define HANDLER_cmpsw       , interpret_cmps
#define HANDLER_cmpsd       , interpret_cmps
#define HANDLER_stosb       , interpret_stos
#define HANDLER_stosw       , interpret_stos
#define HANDLER_stosd       , interpret_stos
#define HANDLER_lodsb       , interpret_lods
#define HANDLER_lodsw       , interpret_lods
#define HANDLER_lodsd       , interpret_lods
#define HANDLER_scasb       , interpret_scas
#define HANDLER_scasw       , interpret_scas
#define HANDLER_scasd       , interpret_scas
#define HANDLER_insb        , interpret_ins
#define HANDLER_insw        , interpret_ins
#define HANDLER_insd        , interpret_ins
#define HANDLER_outsb       , interpret_outs
#define HANDLER_outsw       , interpret_outs
#define HANDLER_outsd       , interpret_outs
#define HANDLER_jo          , interpret_jcc
#define HANDLER_jno         , interpret_jcc
#define HANDLER_jb          , interpret_jcc
#define HANDLER_jae         , interpret_jcc
#define HANDLER_jz          , interpret_jcc
#define HANDLER_jnz         , interpret_jcc
#define HANDLER_jbe         , interpret_jcc
#define HANDLER_ja          , interpret_jcc
#define HANDLER_js          , interpret_jcc
#define HANDLER_jns         , interpret_jcc
#define HANDLER_jp          , interpret_jcc
#define HANDLER_jnp         , interpret_jcc
#define HANDLER_jl          , interpret_jcc
#define HANDLER_jge         , interpret_jcc
#define HANDLER_jle         , interpret_jcc
#define HANDLER_jg          , interpret_jcc
#define HANDLER_jmp         , interpret_jmp
#define HANDLER_call        , interpret_call
#define HANDLER_ret         , interpret_ret
#define HANDLER_loop        , interpret_loop
#define HANDLER_loope       , interpret_loope
#define HANDLER_loopne      , interpret_loopne
#define HANDLER_jcxz        , interpret_jecxz
#define HANDLER_jecxz       , interpret_jecxz
#define HANDLER_retf        , interpret_retf
#define HANDLER_iret        , interpret_iret
#define HANDLER_iretd       , interpret_iret
#define HANDLER_int         , interpret_int
#define HANDLER_int1        , interpret_int1
#define HANDLER_int3        , interpret_int3
#define HANDLER_into        , interpret_into
#define HANDLER_bound       , interpret_bound
#define HANDLER_clts        , interpret_clts
#define HANDLER_smsw        , interpret_smsw
#define HANDLER_lmsw        , interpret_lmsw
#define HANDLER_sgdt        , interpret_sgdt
#define HANDLER_sidt        , interpret_sidt
#define HANDLER_lgdt        , interpret_lgdt
#define HANDLER_lidt        , interpret_lidt
#define HANDLER_sldt        , interpret_sldt
#define HANDLER_str         , interpret_str
#define HANDLER_lldt        , interpret_lldt
#define HANDLER_ltr         , interpret_ltr
#define HANDLER_lar         , interpret_lar
#define HANDLER_lsl         , interpret_lsl
#define HANDLER_verr        , interpret_verr
#define HANDLER_verw        , interpret_verw
#define HANDLER_arpl        , interpret_arpl
#define HANDLER_cli         , interpret_cli
#define HANDLER_sti         , interpret_sti
#define HANDLER_hlt         , interpret_hlt
#define HANDLER_invlpg      , interpret_invlpg
#define HANDLER_wbinvd      , interpret_wbinvd
#define HANDLER_invd        , interpret_wbinvd
#define HANDLER_cpuid       , interpret_cpuid
#define HANDLER_rdtsc       , interpret_rdtsc
#define HANDLER_rdpmc       , interpret_rdpmc
#define HANDLER_rdmsr       , interpret_rdmsr
#define HANDLER_wrmsr       , interpret_wrmsr
#define HANDLER_in          , interpret_in
#define HANDLER_out         , interpret_out

/* The real unit runs what computes with its registers. */
#define HANDLER_SSE2_movsd , interpret_sse
#define HANDLER_SSE2_cmpsd , interpret_sse
#define HANDLER_fwait      , interpret_fwait
#define FAMILY_X87         , interpret_x87
#define FAMILY_CMOV        , interpret_x87
#define FAMILY_MMX         , interpret_mmx
#define FAMILY_FXSR        , interpret_fxsave
#define FAMILY_SSE         , interpret_sse
#define FAMILY_SSE2        , interpret_sse

#define HANDLER(mnemonic, feature)             \
	CHOOSE(HANDLER_##feature##_##mnemonic, \
	       CHOOSE(HANDLER_##mnemonic, CHOOSE(FAMILY_##feature, interpret_undefined)))

#define ROW(choose, mnemonic, list, how, kinds, reads, writes, undefines, further, feature) \
	[__LINE__] = HANDLER(mnemonic, feature),

static interpret_handler *const handlers[] = {
#define OPCODE(map, code, ...) ROW(__VA_ARGS__)
#define ALSO                   OPCODE
#define GROUP                  OPCODE
#define PREFIX                 OPCODE
#define ESCAPE                 OPCODE
#include "monitor/instructions/opcodes.def"
#undef OPCODE
#undef ALSO
#undef GROUP
#undef PREFIX
#undef ESCAPE
};

/* Features of the table that the guest's CPUID may deny. The others are either as old as the 486 or
 * have no handler. */
static bool is_offered(enum opcode_feature feature)
{
	switch (feature) {
	case FEATURE_MMX:
		return identity_has(IDENTITY_MMX);
	case FEATURE_FXSR:
		return identity_has(IDENTITY_FXSR);
	case FEATURE_SSE:
		return identity_has(IDENTITY_SSE);
	case FEATURE_SSE2:
		return identity_has(IDENTITY_SSE2);
	default:
		return true;
	}
}

/* One mnemonic, different instructions: what kind of operands it has decides. The last ones are
 * only there because they are common. */
static const struct {
	interpret_handler *general;
	uint8_t first, second; /* enum operand_kind */
	uint8_t size;          /* of the first operand, 0: any */
	interpret_handler *special;
} refinements[] = {
        {interpret_mov, OPERAND_IS_SEGMENT, OPERAND_IS_GENERAL, 0, interpret_mov_to_segment},
        {interpret_mov, OPERAND_IS_SEGMENT, OPERAND_IS_MEMORY, 0, interpret_mov_to_segment},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_SEGMENT, 0, interpret_mov_from_segment},
        {interpret_mov, OPERAND_IS_MEMORY, OPERAND_IS_SEGMENT, 0, interpret_mov_from_segment},
        {interpret_mov, OPERAND_IS_CONTROL, OPERAND_IS_GENERAL, 0, interpret_mov_to_control},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_CONTROL, 0, interpret_mov_from_control},
        {interpret_mov, OPERAND_IS_DEBUG, OPERAND_IS_GENERAL, 0, interpret_mov_to_debug},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_DEBUG, 0, interpret_mov_from_debug},
        {interpret_push, OPERAND_IS_SEGMENT, OPERAND_IS_NONE, 0, interpret_push_segment},
        {interpret_pop, OPERAND_IS_SEGMENT, OPERAND_IS_NONE, 0, interpret_pop_segment},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_MEMORY, 4, interpret_load},
        {interpret_mov, OPERAND_IS_MEMORY, OPERAND_IS_GENERAL, 4, interpret_store},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_GENERAL, 4, interpret_copy},
        {interpret_mov, OPERAND_IS_GENERAL, OPERAND_IS_IMMEDIATE, 4, interpret_set_immediate},
        {interpret_push, OPERAND_IS_GENERAL, OPERAND_IS_NONE, 4, interpret_push_register},
        {interpret_pop, OPERAND_IS_GENERAL, OPERAND_IS_NONE, 4, interpret_pop_register},
};

static interpret_handler *refine(const struct instruction *in, interpret_handler *handler)
{
	uint8_t first = in->operand_count > 0 ? in->operands[0].kind : OPERAND_IS_NONE;
	uint8_t second = in->operand_count > 1 ? in->operands[1].kind : OPERAND_IS_NONE;

	for (size_t i = 0; i < sizeof(refinements) / sizeof(refinements[0]); i++)
		if (refinements[i].general == handler && refinements[i].first == first &&
		    refinements[i].second == second &&
		    (!refinements[i].size || refinements[i].size == in->operands[0].size))
			return refinements[i].special;
	return handler;
}

static bool is_far(const struct instruction *in)
{
	return instruction_opcode(in)->class & CLASS_SEGMENT;
}

interpret_handler *interpret_find_handler(const struct instruction *in)
{
	const struct opcode *opcode = instruction_opcode(in);
	interpret_handler *handler = handlers[in->row];

	if ((opcode->class & CLASS_UNDEFINED) || !is_offered(opcode->feature))
		return interpret_undefined;
	if (handler == interpret_jmp && is_far(in))
		return interpret_jmp_far;
	if (handler == interpret_call && is_far(in))
		return interpret_call_far;
	return refine(in, handler);
}
