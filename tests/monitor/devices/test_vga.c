/* The VGA: its registers as a guest meets them, and the view that they make. */
#include "monitor/devices/vga.h"
#include "tests/unit.h"

static struct vga vga;

static uint8_t in(uint16_t port)
{
	return (uint8_t)vga_read(&vga, 0, port, 1);
}

static void out(uint16_t port, uint8_t value)
{
	vga_write(&vga, 0, port, 1, value);
}

static void crtc(uint8_t index, uint8_t value)
{
	out(0x3D4, index);
	out(0x3D5, value);
}

TEST(starts_in_text_mode_with_80_columns)
{
	vga_reset(&vga);
	struct vga_view view = vga_view(&vga);
	CHECK(view.is_text);
	CHECK(view.has_cursor);
	CHECK_EQ(view.columns, 80);
	CHECK_EQ(view.start, 0);
	CHECK_EQ(view.cursor, 0);
	CHECK_EQ(in(0x3CC) & 1, 1); /* colour: the CRT controller is at 3D4 */
}

TEST(start_address_and_cursor)
{
	vga_reset(&vga);
	crtc(0x0C, 0x12);
	crtc(0x0D, 0x34);
	crtc(0x0E, 0x01);
	crtc(0x0F, 0x50);
	struct vga_view view = vga_view(&vga);
	CHECK_EQ(view.start, 0x1234);
	CHECK_EQ(view.cursor, 0x150);
	crtc(0x0A, 0x20);
	CHECK(!vga_view(&vga).has_cursor);
	out(0x3D4, 0x0F);
	CHECK_EQ(in(0x3D5), 0x50);
	CHECK_EQ(in(0x3D4), 0x0F);
	crtc(0x0C, 0xFF);
	CHECK(vga_view(&vga).start < VGA_TEXT_CELLS);
	out(0x3CE, 6);
	out(0x3CF, 5);
	CHECK(!vga_view(&vga).is_text);
}

TEST(the_crt_controllers_timing_is_protected)
{
	vga_reset(&vga);
	crtc(0x01, 0x27);
	crtc(0x07, 0x00);
	CHECK_EQ(vga_view(&vga).columns, 80);
	out(0x3D4, 0x07);
	CHECK_EQ(in(0x3D5), 0x0F); /* only the bit of the line compare */
	crtc(0x11, 0x0E);
	crtc(0x01, 0x27);
	CHECK_EQ(vga_view(&vga).columns, 40);
}

TEST(the_attribute_controller_has_one_port_for_two_things)
{
	vga_reset(&vga);
	in(0x3DA);
	out(0x3C0, 0x10);
	out(0x3C0, 0x08);
	out(0x3C0, 0x30);
	CHECK_EQ(in(0x3C1), 0x08);
	CHECK_EQ(in(0x3C0), 0x30);
	in(0x3DA);
	out(0x3C0, 0x11); /* an index again, because the status was read */
	CHECK_EQ(in(0x3C1), 0);
}

TEST(the_palette_goes_on_by_itself)
{
	vga_reset(&vga);
	out(0x3C8, 1);
	for (unsigned i = 0; i < 6; i++)
		out(0x3C9, (uint8_t)(0xC1 + i));
	CHECK_EQ(in(0x3C7), 0);
	out(0x3C7, 1);
	CHECK_EQ(in(0x3C7), 3);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(in(0x3C9), 1 + i);
	out(0x3C7, 0x14); /* brown is no dark yellow */
	CHECK_EQ(in(0x3C9), 0x2A);
	CHECK_EQ(in(0x3C9), 0x15);
	CHECK_EQ(in(0x3C9), 0x00);
}

TEST(registers_that_do_not_exist)
{
	vga_reset(&vga);
	for (unsigned i = 0; i < 256; i++) {
		out(0x3C4, (uint8_t)i);
		out(0x3C5, 0x5A);
		CHECK_EQ(in(0x3C5), i < 5 ? 0x5A : 0);
		out(0x3CE, (uint8_t)i);
		out(0x3CF, 0xA5);
		CHECK_EQ(in(0x3CF), i < 9 ? 0xA5 : 0);
		out(0x3D4, (uint8_t)i);
		CHECK(i < 0x19 || in(0x3D5) == 0);
	}
	CHECK_EQ(in(0x3CB), 0xFF);
}

TEST(retrace_comes_70_times_a_second)
{
	unsigned retraces = 0, blanks = 0;
	uint8_t before = 0;

	vga_reset(&vga);
	for (uint64_t now = 0; now < 1000000000; now += 5000) {
		uint8_t status = (uint8_t)vga_read(&vga, now, 0x3DA, 1);
		retraces += (status & 8) && !(before & 8);
		blanks += status & 1;
		CHECK(!(status & 8) || status & 1);
		before = status;
	}
	CHECK(retraces == 70 || retraces == 71);
	CHECK(blanks > 200000 / 5 && blanks < 200000 / 3);
}

UNIT_MAIN
