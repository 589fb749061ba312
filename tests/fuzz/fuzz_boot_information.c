/* What a Multiboot loader left behind, of either protocol: the first byte chooses, the rest is the
 * machine's memory from BASE on, where the information begins.
 *
 * Whatever it says is read whole and inside memory, or refused with a sentence. */
#include "boot/multiboot.h"
#include "tests/fuzz/fuzz.h"

#define BASE 0x10000u

static uint8_t *machine;
static size_t machine_size;

static const void *view(const struct boot_memory *memory, uint64_t at, uint64_t length)
{
	(void)memory;
	if (at < BASE || at - BASE > machine_size || length > machine_size - (at - BASE))
		return NULL;
	return machine + (at - BASE);
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static void look_through(const struct boot_info *info)
{
	MUST(info->range_count <= BOOT_RANGES_MAX && info->module_count <= BOOT_MODULES_MAX);
	MUST(ends(info->loader, sizeof(info->loader)));
	MUST(ends(info->command_line, sizeof(info->command_line)));
	MUST(boot_info_memory_mb(info) + 1 >= BOOT_MEMORY_NEEDED_MB);
	for (uint32_t i = 0; i < info->range_count; i++)
		MUST(info->ranges[i].start <= info->ranges[i].end);
	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *module = &info->modules[i];
		MUST(module->start <= module->end);
		MUST(ends(module->name, sizeof(module->name)));
		MUST(ends(module->text, sizeof(module->text)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct boot_memory memory = {view};
	static struct boot_info info;
	char problem[BOOT_PROBLEM_MAX] = "";

	if (size == 0)
		return 0;
	/* A copy of its own size: the sanitizer sees every byte that is read past its end. */
	machine_size = size - 1;
	machine = malloc(machine_size ? machine_size : 1);
	memcpy(machine, data + 1, machine_size);
	memset(&info, 0, sizeof(info));
	if (multiboot_read(&info, data[0] & 1 ? BOOT_MAGIC_MULTIBOOT2 : BOOT_MAGIC_MULTIBOOT1, BASE,
	                   &memory, problem, sizeof(problem)))
		look_through(&info);
	else
		MUST(problem[0] && ends(problem, sizeof(problem)));
	free(machine);
	return 0;
}
