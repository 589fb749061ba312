#include "boot/report.h"

#include "boot/boot_info.h"
#include "boot/memory.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/probes.h"
#include "kernel/processor.h"

#define TEXT_MAX 200

static const char *range_kind(uint32_t type)
{
	static const char *const kinds[] = {"unknown",     "usable",   "reserved",
	                                    "ACPI tables", "ACPI NVS", "defective"};

	return kinds[type < sizeof(kinds) / sizeof(kinds[0]) ? type : 0];
}

static void list_features(char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (int i = 0; i < PROCESSOR_FEATURES; i++)
		if (processor.features[i] && used < size)
			used += print_to_buffer(text + used, size - used, "%s%s", used ? " " : "",
			                        processor_feature_names[i]);
}

void report_banner(void)
{
	char features[TEXT_MAX];
	uint32_t mhz = (uint32_t)(clock_tsc_frequency() / 1000000);
	uint32_t mb = boot_info_memory_mb(&boot_info);

	list_features(features, sizeof(features));
	console_print("\nRingfence %s: a hypervisor for 32-bit x86 that needs no VT-x and no SVM\n",
	              RINGFENCE_VERSION);
	console_print("processor  %s family %u model %u stepping %u, %u MHz  %s\n",
	              processor.vendor, processor.family, processor.model, processor.stepping, mhz,
	              processor.name);
	console_print("           %s\n", features);
	console_print("memory     %u MB usable, %u MB free\n", mb,
	              frames_count(FRAME_free) >> (20 - PAGE_SHIFT));
	console_print("protection %s\n", probes_describe_protection());

	log_info("boot", "Ringfence %s version=%s protocol=\"%s\" loader=\"%s\" options=\"%s\"",
	         RINGFENCE_VERSION, RINGFENCE_VERSION, boot_info.protocol, boot_info.loader,
	         boot_info.command_line);
	log_info("processor", "%s %s family=%u model=%u stepping=%u tsc-mhz=%u features=\"%s\"",
	         processor.vendor, processor.name, processor.family, processor.model,
	         processor.stepping, mhz, features);
	log_info("memory", "usable and free memory usable-mb=%u free-frames=%u", mb,
	         frames_count(FRAME_free));
	for (uint32_t i = 0; i < boot_info.module_count; i++)
		log_info("boot", "module %u name=\"%s\" bytes=%llu text=\"%s\"", i,
		         boot_info.modules[i].name,
		         boot_info.modules[i].end - boot_info.modules[i].start,
		         boot_info.modules[i].text);
}

static void report_ranges(void)
{
	console_print("\nmemory map, as the boot loader has it\n");
	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *range = &boot_info.ranges[i];
		console_print("  %012llx to %012llx  %8llu KB  %s\n", range->start, range->end,
		              (range->end - range->start) >> 10, range_kind(range->type));
		log_info("memory", "range start=0x%llx end=0x%llx type=%u", range->start,
		         range->end, range->type);
	}
}

static void report_modules(void)
{
	console_print("\nmodules: %u\n", boot_info.module_count);
	for (uint32_t i = 0; i < boot_info.module_count; i++)
		console_print("  %-20s %8llu bytes at 0x%08llx  %s\n", boot_info.modules[i].name,
		              boot_info.modules[i].end - boot_info.modules[i].start,
		              boot_info.modules[i].start, boot_info.modules[i].text);
}

static void report_frames(void)
{
	console_print("\nframes of 4 KB, and whose they are\n");
	for (int owner = 0; owner < FRAME_OWNERS; owner++) {
		uint32_t count = frames_count((enum frame_owner)owner);
		if (!count)
			continue;
		console_print("  %8u  %s\n", count, frame_owner_names[owner]);
		log_info("frames", "owner=\"%s\" frames=%u", frame_owner_names[owner], count);
	}
	uint64_t unused = 0;
	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		uint64_t direct = (uint64_t)frames_total() << PAGE_SHIFT;
		const struct boot_range *range = &boot_info.ranges[i];
		if (range->type == BOOT_RANGE_USABLE && range->end > direct)
			unused += range->end - (range->start > direct ? range->start : direct);
	}
	if (unused >= PAGE_SIZE)
		console_print("  %8llu  beyond the direct map, not used\n", unused >> PAGE_SHIFT);
}

void report_run(void)
{
	report_ranges();
	report_modules();
	report_frames();
	console_print("\nimage      %u KB of code, %u KB in all, at 0x%08x\n",
	              (layout_address(image_code_end) - layout_address(layout_image)) >> 10,
	              (layout_address(image_end) - layout_address(layout_image)) >> 10,
	              layout_address(layout_image));
	console_print("That is all; mode=run starts the first module as a guest.\n");
	machine_end("report-shown", STATUS_GOOD);
}
