/* A guest's bytes on the terminal in a pane, with sizes that change: what is
 * drawn is one cell wide characters and nothing that controls a terminal. */
#include <locale.h>
#include <string.h>

#include "console/keys.h"
#include "console/vt.h"
#include "tests/fuzz/fuzz.h"

static void drop(void *arg, const char *bytes, size_t n)
{
	(void)arg;
	(void)bytes;
	(void)n;
}

static void check_grid(const struct grid *g)
{
	for (int i = 0; i < g->rows * g->cols; i++) {
		const unsigned char *s = (const unsigned char *)g->cells[i].text;

		for (; *s; s++)
			FUZZ_CHECK(*s >= 0x20 && *s != 0x7f);
		FUZZ_CHECK(g->cells[i].width <= 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct vt *v;
	struct grid g;
	size_t step = size / 4 + 1;

	if (!started)
		setlocale(LC_ALL, "C.UTF-8");
	started = true;
	v = vt_new(10, 40, drop, NULL);
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		vt_write(v, (const char *)data + at, n);
		vt_resize(v, 1 + data[at] % 40, 1 + data[at] % 120);
		vt_key(v, data[at]);
		vt_key(v, KEYS_UP);
	}
	for (int ascii = 0; ascii < 2; ascii++) {
		grid_init(&g, 12, 50, ascii);
		vt_draw(v, &g, (struct rect){ 0, 0, 12, 50 }, 3);
		check_grid(&g);
		grid_fini(&g);
	}
	vt_free(v);
	return 0;
}
