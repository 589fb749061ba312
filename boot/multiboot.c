#include "boot/multiboot.h"

#include "boot/multiboot1.h"
#include "boot/multiboot2.h"
#include "kernel/print.h"
#include "kernel/text.h"

/* QEMU puts the name of the file before the command line, GRUB does not. */
#define LOADER_THAT_NAMES_THE_FILE "qemu"

static bool lies_in_memory(const struct boot_info *info, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &info->ranges[i];
		if (range->type == BOOT_RANGE_USABLE && start >= range->start && end <= range->end)
			return true;
	}
	return false;
}

static bool check_module(const struct boot_info *info, uint32_t index, char *problem, size_t size)
{
	const struct boot_module *module = &info->modules[index];

	if (module->end < module->start || !lies_in_memory(info, module->start, module->end)) {
		print_to_buffer(problem, size,
		                "module %u \"%s\" is said to be at 0x%llx to 0x%llx, which is not "
		                "inside usable memory",
		                index, module->name, module->start, module->end);
		return false;
	}
	for (uint32_t i = 0; i < index; i++) {
		const struct boot_module *other = &info->modules[i];
		if (module->start < other->end && other->start < module->end) {
			print_to_buffer(problem, size,
			                "module %u \"%s\" at 0x%llx to 0x%llx overlaps module %u "
			                "\"%s\" at 0x%llx to 0x%llx",
			                index, module->name, module->start, module->end, i,
			                other->name, other->start, other->end);
			return false;
		}
	}
	return true;
}

static bool check_memory(const struct boot_info *info, char *problem, size_t size)
{
	uint32_t found = boot_info_memory_mb(info);

	/* The PC's holes and the firmware take about one megabyte of what was plugged in. */
	if (found + 1 >= BOOT_MEMORY_NEEDED_MB)
		return true;
	print_to_buffer(problem, size,
	                "this machine has %u MB of usable memory, and Ringfence needs %u MB", found,
	                BOOT_MEMORY_NEEDED_MB);
	return false;
}

static bool read_protocol(struct boot_info *info, uint32_t magic, uint32_t address,
                          const struct boot_memory *memory, char *problem, size_t size)
{
	switch (magic) {
	case BOOT_MAGIC_MULTIBOOT1:
		return multiboot1_read(info, address, memory, problem, size);
	case BOOT_MAGIC_MULTIBOOT2:
		return multiboot2_read(info, address, memory, problem, size);
	default:
		print_to_buffer(problem, size,
		                "the boot loader left 0x%08x in EAX; expected 0x%08x (Multiboot 1) "
		                "or 0x%08x (Multiboot 2)",
		                magic, BOOT_MAGIC_MULTIBOOT1, BOOT_MAGIC_MULTIBOOT2);
		return false;
	}
}

bool multiboot_read(struct boot_info *info, uint32_t magic, uint32_t address,
                    const struct boot_memory *memory, char *problem, size_t size)
{
	if (!read_protocol(info, magic, address, memory, problem, size))
		return false;
	if (text_equal(info->loader, LOADER_THAT_NAMES_THE_FILE))
		text_copy(info->command_line, sizeof(info->command_line),
		          boot_info_skip_word(info->command_line));
	if (!check_memory(info, problem, size))
		return false;
	for (uint32_t i = 0; i < info->module_count; i++)
		if (!check_module(info, i, problem, size))
			return false;
	return true;
}
