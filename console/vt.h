/*
 * A terminal in a pane: a guest's bytes in, cells out.  Only vt.c knows
 * libvterm.  Whatever a guest writes becomes characters in cells; no byte of it
 * reaches the real terminal.
 */
#ifndef REMUDA_CONSOLE_VT_H
#define REMUDA_CONSOLE_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/cells.h"

struct vt;

enum { VT_KEPT_LINES = 2000 };	/* that scrolled off the top */

/* send: what the terminal answers and what keys become, for the guest. */
struct vt *vt_new(int rows, int cols,
		  void (*send)(void *arg, const char *bytes, size_t n),
		  void *arg);
void vt_free(struct vt *v);
void vt_write(struct vt *v, const char *bytes, size_t n);
void vt_resize(struct vt *v, int rows, int cols);
/* A key of keys.h as this guest wants it (modes of cursor keys, keypad). */
void vt_key(struct vt *v, uint32_t key);
void vt_paste(struct vt *v, bool begins);
/* Lines above the screen. */
int vt_kept(const struct vt *v);
/* back: so many kept lines come into sight at the top. */
void vt_draw(struct vt *v, struct grid *g, struct rect r, int back);
/* Where the guest's cursor is; false when it is hidden. */
bool vt_cursor(const struct vt *v, int *row, int *col);

#endif
