#include "boot/boot_info.h"

#include "kernel/print.h"
#include "kernel/text.h"

const char *boot_info_skip_word(const char *text)
{
	while (*text && *text != ' ')
		text++;
	while (*text == ' ')
		text++;
	return text;
}

bool boot_info_set_command_line(struct boot_info *info, const char *line, char *problem,
                                size_t size)
{
	if (text_copy(info->command_line, sizeof(info->command_line), line))
		return true;
	print_to_buffer(problem, size, "the command line is longer than %u characters",
	                BOOT_TEXT_MAX - 1);
	return false;
}

bool boot_info_add_range(struct boot_info *info, const struct boot_range *range, char *problem,
                         size_t size)
{
	if (range->end < range->start) {
		print_to_buffer(problem, size,
		                "the memory map has a range from 0x%llx that runs past the end of "
		                "the address space",
		                range->start);
		return false;
	}
	if (info->range_count == BOOT_RANGES_MAX) {
		print_to_buffer(problem, size, "the memory map has more than %u ranges",
		                BOOT_RANGES_MAX);
		return false;
	}
	info->ranges[info->range_count++] = *range;
	return true;
}

static void set_module_name(struct boot_module *module, const char *line)
{
	const char *name = line;
	size_t length = 0;

	for (const char *at = line; *at && *at != ' '; at++)
		if (*at == '/')
			name = at + 1;
	while (name[length] && name[length] != ' ' && length < sizeof(module->name) - 1)
		length++;
	print_to_buffer(module->name, sizeof(module->name), "%.*s", (int)length, name);
}

bool boot_info_add_module(struct boot_info *info, uint64_t start, uint64_t end, const char *line,
                          char *problem, size_t size)
{
	struct boot_module *module = &info->modules[info->module_count];

	if (info->module_count == BOOT_MODULES_MAX) {
		print_to_buffer(problem, size, "there are more than %u modules", BOOT_MODULES_MAX);
		return false;
	}
	module->start = start;
	module->end = end;
	set_module_name(module, line);
	if (!text_copy(module->text, sizeof(module->text), boot_info_skip_word(line))) {
		print_to_buffer(problem, size,
		                "the command line of module \"%s\" is longer than %u characters",
		                module->name, BOOT_TEXT_MAX - 1);
		return false;
	}
	info->module_count++;
	return true;
}

uint32_t boot_info_memory_mb(const struct boot_info *info)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < info->range_count; i++)
		if (info->ranges[i].type == BOOT_RANGE_USABLE)
			bytes += info->ranges[i].end - info->ranges[i].start;
	return (uint32_t)(bytes >> 20);
}
