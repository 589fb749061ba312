"""Ways to break the monitor, each with the tests that are expected to notice.

A row is a name that says what was broken, a file, a text that stands in it exactly once, what stands there instead, and
the tests: "unit:PATH" is tests/PATH.c, anything else is told to pytest. The cheapest tests that should notice come
first; a row is done with the first that does.
"""
from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    file: str
    text: str
    instead: str
    tests: tuple


TOLD = "tests/guests/test_attack.py::test_tables_that_are_told_of_cannot_be_written[{}]"


def attack(topic, engine="translate"):
    """A guest of guest/attack on QEMU."""
    return f"tests/guests/test_attack.py::test_attack_ends_as_on_the_processor[qemu-max-{engine}-{topic}]"


def fault(name):
    return f"tests/boot/test_faults.py::test_{name}"


def privileged(topic, engine="translate"):
    return f"tests/guests/test_privileged.py::test_topic[qemu-max-{engine}-{topic}]"


MUTATIONS = [
    # What is answered without leaving the guest's world.
    Mutation("code is not looked for again after a load of CR3", "monitor/run/translated.c",
             "return translator_is_in_place(&translated->translator, vcpu) && !translated->twins.again;", "return true;",
             (privileged("self_modifying"),)),
    Mutation("a store is skipped that changes something", "monitor/translator/silent.c",
             "emit_long(emit, in->immediate + 1);", "emit_long(emit, in->immediate);",
             ("unit:monitor/translator/test_silent",)),
    Mutation("of a fill that somebody is told of only the first element is written", "monitor/instructions/interpret_strings.c",
             "linear_write(vcpu, to.at, pattern, *count * size, LINEAR_AS_CPL)", "linear_write(vcpu, to.at, pattern, size, LINEAR_AS_CPL)",
             ("unit:monitor/instructions/test_interpret_strings",)),
    # Ring compression and the tables that the processor is given.
    Mutation("a limit is not truncated", "monitor/cpu/compression.c",
             "	return cut == COMPRESSION_NO_CUT || truncate(segment, cut, twin);", "	return true;",
             ("unit:monitor/cpu/test_compression",)),
    Mutation("a truncated limit is one byte too long", "monitor/cpu/compression.c",
             "set_limit(shadow, room - 1);", "set_limit(shadow, room);",
             ("unit:monitor/cpu/test_compression",)),
    Mutation("the page that the cut goes through stays in a segment", "monitor/cpu/compression.c",
             "set_limit(shadow, room / PAGE - 1);", "set_limit(shadow, room / PAGE);",
             ("unit:monitor/cpu/test_compression",)),
    Mutation("a descriptor of ring 0 keeps its DPL", "monitor/cpu/compression.c",
             "		shadow->access |= DPL_1;", "		shadow->access |= 0;",
             ("unit:monitor/cpu/test_compression",)),
    Mutation("a descriptor that the guest changed stays in the real table", "monitor/cpu/shadow_tables.c",
             "	*shadow = (struct descriptor){0};\n	forget_user_code", "	forget_user_code",
             ("unit:monitor/cpu/test_shadow_tables",)),
    Mutation("descriptors are not watched", "monitor/cpu/shadow_tables.c",
             "	watch_start(vcpu->vm, page_of(source), WATCH_DESCRIPTORS);\n", "",
             ("unit:monitor/cpu/test_shadow_tables",)),
    Mutation("a GDT that moved is not looked at again", "monitor/cpu/shadow_tables.c",
             "	forget(vcpu->vm);\n	doubt(tables);\n", "	doubt(tables);\n",
             ("unit:monitor/cpu/test_shadow_tables",)),
    Mutation("code of ring 3 is present while ring 1 runs", "monitor/cpu/shadow_tables.c",
             "		set_present(tables->user_codes[i], open);", "		set_present(tables->user_codes[i], true);",
             ("unit:monitor/cpu/test_shadow_tables",)),

    # Memory: the walk, the buffer, the shadows.
    Mutation("the user bit is not looked at", "monitor/memory/page_walk.c",
             "if ((access & PAGE_WALK_USER) && !found->user)", "if (false)",
             ("unit:monitor/memory/test_page_faults",)),
    Mutation("reserved bits of a table's entry are let by", "monitor/memory/page_walk.c",
             "	if (leaf.value & reserved)\n", "	if (false)\n",
             ("unit:monitor/memory/test_page_faults",)),
    Mutation("a load of CR3 does not flush the translation buffer", "monitor/cpu/control.c",
             "	vcpu->cr3 = value;\n	linear_flush(vcpu, false);\n", "	vcpu->cr3 = value;\n",
             ("unit:monitor/cpu/test_control", "unit:monitor/memory/test_linear")),
    Mutation("CR0.WP changes without a flush", "monitor/cpu/control.c",
             "#define CR0_FLUSHES (VCPU_CR0_PG | VCPU_CR0_WP)", "#define CR0_FLUSHES (VCPU_CR0_PG)",
             ("unit:monitor/cpu/test_control", "unit:monitor/memory/test_linear_random")),
    Mutation("invlpg leaves the pieces of a large page", "monitor/memory/linear.c",
             "		flush_large(vcpu, region);\n", "		(void)flush_large;\n",
             ("unit:monitor/memory/test_linear", "unit:monitor/memory/test_linear_random")),
    Mutation("accesses beside a watchpoint are buffered", "monitor/memory/linear.c",
             "		entry->rights &= EXECUTE_RIGHTS;\n", "		entry->rights &= EXECUTE_RIGHTS | WRITE_RIGHTS;\n",
             ("unit:monitor/memory/test_watchpoints",)),
    Mutation("a watchpoint begins where its address says", "monitor/memory/watchpoints.c",
             "vcpu->debug[i] & ~(length - 1);", "vcpu->debug[i];",
             ("unit:monitor/memory/test_watchpoints",)),
    Mutation("breakpoints on ports do not need CR4.DE", "monitor/memory/watchpoints.c",
             "!watchpoints_are_on(vcpu) || !(vcpu->cr4 & VCPU_CR4_DE)", "!watchpoints_are_on(vcpu)",
             ("unit:monitor/memory/test_watchpoints",)),
    Mutation("a write across two pages asks only the first", "monitor/memory/linear.c",
             "	return first == size || find_piece(vcpu, gva(at.value + (uint32_t)first), size - first,\n"
             "	                                   right, as, &pieces[1]);",
             "	if (first != size)\n		find_piece(vcpu, gva(at.value + (uint32_t)first), size - first, right, as, "
             "&pieces[1]);\n	return true;",
             ("unit:monitor/memory/test_linear", "unit:monitor/memory/test_page_faults")),
    Mutation("buffered writes go on after a page is watched", "monitor/memory/watch.c",
             "		linear_forget_writes(&vm->vcpu, page);\n	if (!(before & WATCH_ALL) && vm->shadow)",
             "		(void)page;\n	if (!(before & WATCH_ALL) && vm->shadow)",
             ("unit:monitor/memory/test_watch",)),
    Mutation("a loose table is not looked at again after a flush", "monitor/memory/shadow_loose.c",
             "		shadow_loose_refresh(shadow, page);\n	} else {", "	} else {",
             ("unit:monitor/memory/test_shadow_changes", "unit:monitor/memory/test_shadow_random")),
    Mutation("a loose table that is led to anew shows what is old", "monitor/memory/shadow_update.c",
             "	if (table->loose && !leads_to(directory, index, table))", "	if (false && !leads_to(directory, index, table))",
             ("unit:monitor/memory/test_shadow_changes",)),
    Mutation("a shadow stays writable after a page is watched", "monitor/memory/watch.c",
             "		shadow_reverse_protect(vm, page);", "		(void)page;",
             ("unit:monitor/memory/test_shadow", "unit:monitor/memory/test_shadow_random")),
    Mutation("a page is writable before its dirty bit is set", "monitor/memory/shadow_update.c",
             "(guest & WRITABLE_DIRTY) == WRITABLE_DIRTY", "(guest & ENTRY_WRITABLE)",
             ("unit:monitor/memory/test_shadow", "unit:monitor/memory/test_shadow_random")),
    Mutation("half of a directory's entry is not updated", "monitor/memory/shadow_update.c",
             "		update_in_directory(shadow, page, index % HALF * 2 + 1);\n", "",
             ("unit:monitor/memory/test_shadow_changes", "unit:monitor/memory/test_shadow_random")),
    Mutation("a reserved bit gives a shadow entry all the same", "monitor/memory/shadow_update.c",
             "	if (!is_live((uint32_t)guest) || (guest & shadow->reserved))\n", "	if (!is_live((uint32_t)guest))\n",
             ("unit:monitor/memory/test_shadow", "unit:monitor/memory/test_shadow_random")),

    # Rings, gates, flags, events.
    Mutation("the port map is read one byte past the limit", "monitor/cpu/control.c",
             "	if (offset + 1 > vcpu->tr.limit)", "	if (offset > vcpu->tr.limit)",
             ("unit:monitor/cpu/test_control",)),
    Mutation("IOPL is changed from every ring", "monitor/cpu/control.c",
             "	if (vcpu->cpl == 0)\n		may_change |= VCPU_EFLAGS_IOPL;",
             "	may_change |= VCPU_EFLAGS_IOPL;",
             ("unit:monitor/cpu/test_control", "unit:monitor/cpu/test_transfer")),
    Mutation("a limit is one byte too long", "monitor/cpu/segments.c",
             "	return offset <= last && size - 1 <= last - offset;", "	return offset <= last && size - 2 <= last - offset;",
             ("unit:monitor/cpu/test_segments",)),
    Mutation("ring 3 reaches every gate by int n", "monitor/cpu/gates.c",
             "	       (!event->is_software || gate_dpl(gate) >= vcpu->cpl) &&\n", "",
             ("unit:monitor/cpu/test_usual_ways", "unit:monitor/cpu/test_transfer", "unit:monitor/cpu/test_events")),
    Mutation("a return to ring 3 keeps ring 0's segments", "monitor/cpu/returns.c",
             "	vcpu->registers[VCPU_ESP] = usual.esp;\n	drop_inner_segments(vcpu);\n", "	vcpu->registers[VCPU_ESP] = usual.esp;\n",
             ("unit:monitor/cpu/test_usual_ways", "unit:monitor/cpu/test_transfer")),
    Mutation("iret uses the rights of the ring it goes to", "monitor/cpu/returns.c",
             "		vcpu->eflags = eflags;\n	return done;",
             "		vcpu->eflags = control_merge_eflags(vcpu, back->eflags, back->size);\n	(void)eflags;\n	return done;",
             ("unit:monitor/cpu/test_transfer",)),
    Mutation("RF is not saved with a fault", "monitor/cpu/gates.c",
             "	put(&top, vcpu->eflags | (event->is_fault ? VCPU_EFLAGS_RF : 0));", "	put(&top, vcpu->eflags);",
             ("unit:monitor/cpu/test_usual_ways", "unit:monitor/cpu/test_events", "unit:monitor/cpu/test_transfer")),
    Mutation("two contributory faults make no double fault", "monitor/cpu/events.c",
             "(first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||\n	       ", "",
             ("unit:monitor/cpu/test_events",)),
    Mutation("sti holds no interrupt off", "monitor/cpu/events.c",
             "	if (vcpu->interrupt_shadow || vcpu->debug_shadow)\n		return leave_shadow(vcpu);\n",
             "	leave_shadow(vcpu);\n",
             ("unit:monitor/cpu/test_events",)),

    # The translator.
    Mutation("written code is not dropped", "monitor/translator/invalidate.c",
             "		if (depends(t, block, page, first, last))\n			invalidate_drop(t, number);\n",
             "		(void)depends, (void)first, (void)last;\n",
             ("unit:monitor/translator/test_changing_code",)),
    Mutation("code that others fall into runs on after it was dropped", "monitor/translator/invalidate.c",
             "	chain_close(t, block);\n", "",
             ("unit:monitor/translator/test_changing_code", "unit:monitor/translator/test_random")),
    Mutation("translated code is not watched", "monitor/translator/invalidate.c",
             "			watch(t, physical, true);\n", "			(void)watch;\n",
             ("unit:monitor/translator/test_changing_code",)),
    Mutation("code that was mapped elsewhere runs on", "monitor/translator/invalidate.c",
             "			take_back_page(t, i);\n", "			(void)take_back_page;\n",
             ("unit:monitor/translator/test_changing_code",)),
    Mutation("pushf that faults has moved the stack", "monitor/translator/fault.c",
             "		vcpu->registers[VCPU_ESP] += 4;", "		vcpu->registers[VCPU_ESP] += 0;",
             ("unit:monitor/translator/test_rules", "unit:monitor/translator/test_random")),
    Mutation("a fault in translated code leaves ECX behind", "monitor/translator/fault.c",
             "		vcpu->registers[VCPU_ECX] = window->ecx;", "		(void)window->ecx;",
             ("unit:monitor/translator/test_rules", "unit:monitor/translator/test_random")),

    # The virtual PC.
    Mutation("the 8254 reloads one tick late in mode 2", "monitor/devices/i8254.c",
             "	return raw == 1 && channel_mode(channel) == 2 ? modulus + 1 : raw;", "	return raw + 1;",
             ("unit:monitor/devices/test_i8254", "unit:monitor/devices/test_i8254_reference")),
    Mutation("the 8259 lets an interrupt of the same level in", "monitor/devices/i8259.c",
             "	return ((level - highest) & 7) < blocked_from ? level : NO_LEVEL;",
             "	return ((level - highest) & 7) <= blocked_from ? level : NO_LEVEL;",
             ("unit:monitor/devices/test_i8259",)),
    Mutation("the 16550 takes one character more than fits", "monitor/devices/ns16550.c",
             "	return uart->received_count >= (uart_has_fifos(uart) ? level : 1);",
             "	return uart->received_count > (uart_has_fifos(uart) ? level : 1);",
             ("unit:monitor/devices/test_ns16550",)),
    Mutation("the disk goes one sector past its end", "monitor/devices/ata_disk.c",
             "disk->left > disk->sectors - disk->sector)", "disk->left > disk->sectors - disk->sector + 1)",
             ("unit:monitor/devices/test_ata_disk",)),
    Mutation("the clock thinks that every year is a leap year", "monitor/devices/mc146818.c",
             "	if (month == 2 && year % 4 == 0)", "	if (month == 2)",
             ("unit:monitor/devices/test_mc146818",)),
    Mutation("the local APIC does not compare priorities", "monitor/devices/local_apic.c",
             "(vector & 0xF0) <= (processor_priority(apic) & 0xF0)", "(vector & 0xF0) < (processor_priority(apic) & 0xF0)",
             ("unit:monitor/devices/test_local_apic",)),
    Mutation("late ticks do not wait for each other", "monitor/devices/i8254.c",
             "channel->output && !channel_waits(channel) && late_ticks_take", "channel->output && late_ticks_take",
             ("unit:monitor/devices/test_i8254", "unit:monitor/devices/test_pc")),
    Mutation("who set a timer anew gets ticks of the old one", "monitor/devices/late_ticks.h",
             "	late->lost += late->count;\n	late->count = 0;", "	late->lost += late->count;",
             ("unit:monitor/devices/test_late_ticks", "unit:monitor/devices/test_local_apic")),
    Mutation("firmware's memory takes writes", "monitor/memory/guest_memory.c",
             "watch_is_rom(vm, at) ? 0 : clip(", "clip(",
             ("unit:monitor/memory/test_guest_memory",)),
    Mutation("DMA goes on past the end of a region", "monitor/devices/ide.c",
             "		if (bytes > size - moved)\n", "		if (false)\n",
             ("unit:monitor/devices/test_ide",)),
    Mutation("a wide access splits at the wrong place", "monitor/devices/bus.c",
             "	bus_write_part(bus, now, port + half, half, value >> 8 * half);",
             "	bus_write_part(bus, now, port + half, half, value >> 4 * half);",
             ("unit:monitor/devices/test_bus",)),

    # What comes in from outside.
    Mutation("modules of the boot loader may overlap", "boot/multiboot.c",
             "if (module->start < other->end && other->start < module->end) {", "if (false) {",
             ("unit:boot/test_multiboot",)),
    Mutation("ELF headers behind the end of the file are read", "monitor/loaders/elf.c",
             "	if (header->program_headers + headers_size > file)\n",
             "	if (header->program_headers > file)\n",
             ("unit:monitor/loaders/test_elf",)),

    # The real machine.
    Mutation("every jump of the time-stamp counter is time", "kernel/steady_time.c",
             "	if (counter - time->last > time->longest)", "	if (time->longest == 0)",
             ("unit:kernel/test_steady_time",)),
    Mutation("an NMI finds its code in one world's table only", "kernel/traps.c",
             "	set_gate(TRAP_NMI, SEGMENT_CODE_ALWAYS, GATE", "	set_gate(TRAP_NMI, SEGMENT_CODE, GATE",
             (fault("nmis_between_two_tables_find_their_way[trap]"),)),
    Mutation("a console that does not drain is waited for again and again", "kernel/serial.c",
             "port->stuck ? 1 : PATIENCE", "port->fifo ? PATIENCE : 1",
             (fault("a_console_that_does_not_drain_is_waited_for_once"),)),
    Mutation("a storm of interrupts keeps the guest out", "monitor/run/run.c",
             "		machine->foiled++;\n", "		machine->foiled = 1;\n",
             (fault("a_guest_goes_on_when_interrupts_come_faster_than_its_world_is_entered"),)),

    # What only a machine can show.
    Mutation("maskmovq writes through our GS", "monitor/translator/rules.c",
             "	        opcode->properties & (PROPERTY_READ | PROPERTY_WRITE)) &&", "	        opcode->properties & PROPERTY_READ) &&",
             ("tests/guests/test_cases.py::test_what_differed_once[maskmovq_through_gs-qemu]",)),
    Mutation("every vector may be called from ring 1 and 3", "monitor/run/slot.c",
             "		if (slot->open_vectors[vector / 32] >> vector % 32 & 1)\n			slot->idt[vector].type |= "
             "GATE_RING_1;",
             "		slot->idt[vector].type |= 0x60;",
             (attack("vectors"), attack("vectors", "trap"))),
    Mutation("the guest world may write its descriptor tables", "monitor/run/slot.c",
             "	return offset == SLOT_TASKS || offset == SLOT_AREA || offset == SLOT_WINDOW;",
             "	return offset != SLOT_CACHE;",
             (TOLD.format("trap"),)),
    Mutation("the slot does not make way", "monitor/run/direct.h",
             "	return probes.segment_limits || !shadow_slot_is_wanted(vcpu) ||",
             "	return vcpu->vm || probes.segment_limits || !shadow_slot_is_wanted(vcpu) ||",
             (attack("memory"), attack("memory", "trap"))),
    Mutation("the direction flag of the guest is not saved", "monitor/run/direct.c",
             "	 VCPU_EFLAGS_DF | VCPU_EFLAGS_OF | VCPU_EFLAGS_NT", "	 VCPU_EFLAGS_OF | VCPU_EFLAGS_NT",
             (attack("frames"),)),
    Mutation("the guest's x87 state is not taken back", "monitor/run/real_unit.c",
             "		save_state(lent.borrower->fpu);", "		(void)save_state;",
             (privileged("fpu"),)),
    Mutation("interrupts that wait do not guard the flag", "monitor/run/translated.c",
             "	slot_open_flag(&translated->direct->slot, !vcpu->vm->interrupt_waits);",
             "	slot_open_flag(&translated->direct->slot, vcpu->vm != NULL);",
             (privileged("interrupts"),)),
    Mutation("CR4.TSD of the guest is forgotten", "monitor/run/real_unit.c",
             "	return vcpu->cr4 & VCPU_CR4_TSD || vcpu->tsc_offset ? cr4 | CR4_TSD : cr4;", "	return cr4;",
             (privileged("instructions"), privileged("exceptions"))),
]
