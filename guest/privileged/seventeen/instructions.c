#include "guest/privileged/seventeen/instructions.h"

/* Instructions that read what only a kernel should know. */
SNIPPET(run_sgdt, "sgdt (%ecx); movl 2(%ecx), %eax");
SNIPPET(run_sidt, "sidt (%ecx); movl 2(%ecx), %eax");
SNIPPET(run_sldt, "sldt %eax; movzwl %ax, %eax");
SNIPPET(run_str, "str %eax; movzwl %ax, %eax");
SNIPPET(run_smsw, "smsw %eax; movzwl %ax, %eax");
SNIPPET(run_pushf, "pushfl; popl %eax");
SNIPPET(run_push_cs, "pushl %cs; popl %eax; movzwl %ax, %eax");
SNIPPET(run_mov_cs, "movl %cs, %eax; movzwl %ax, %eax");
SNIPPET(run_mov_ss, "movl %ss, %eax; movzwl %ax, %eax");

/* Instructions that look at a descriptor with the eyes of their ring: EAX says ZF. */
SNIPPET(run_lar, "lar %ecx, %eax; setz %al; movzbl %al, %eax");
SNIPPET(run_lsl, "lsl %ecx, %eax; setz %al; movzbl %al, %eax");
SNIPPET(run_verr, "verr %cx; setz %al; movzbl %al, %eax");
SNIPPET(run_verw, "verw %cx; setz %al; movzbl %al, %eax");

/* Instructions that change something, or silently do not. EAX: the flags afterwards. */
SNIPPET(run_popf_if, "pushl $0x202; popfl; pushfl; popl %eax");
SNIPPET(run_popf_iopl, "pushl $0x3002; popfl; pushfl; popl %eax; pushl $2; popfl");
SNIPPET(run_mov_to_ds, "movw %cx, %ds; movl %ds, %eax; movzwl %ax, %eax");
SNIPPET(run_pop_ss, "pushl %ecx; popl %ss; movl %ss, %eax; movzwl %ax, %eax");

/* Control transfers that show the code segment, or need it. */
SNIPPET(run_far_call, "pushl %cs; pushl $1f; lcall *(%esp); addl $8, %esp; jmp 2f\n"
                      "1: movl 4(%esp), %eax; movzwl %ax, %eax; lret\n2:");
SNIPPET(run_far_jump, "pushl %cs; pushl $1f; ljmp *(%esp)\n"
                      "1: addl $8, %esp; movl %cs, %eax; movzwl %ax, %eax");
SNIPPET(run_far_return, "pushl %cs; pushl $1f; lret\n1: movl %cs, %eax; movzwl %ax, %eax");
SNIPPET(run_iret, "pushfl; pushl %cs; pushl $1f; iret\n1: movl %cs, %eax; movzwl %ax, %eax");
SNIPPET(run_int, "int $0x90");
