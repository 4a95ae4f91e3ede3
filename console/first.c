/*
 * The first start: see first.h.  A small loop of its own, without engine and
 * views: one page with the choices, one with the file that would be written, one
 * line to type into.
 */
#include "console/first.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/cells.h"
#include "console/keys.h"
#include "console/paths.h"
#include "console/prompt.h"
#include "console/settings.h"
#include "console/term.h"
#include "console/theme.h"
#include "console/view.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { CHOICES = 5, SITE_TEXT_SIZE = 2048 };
enum page { PAGE_CHOICES, PAGE_FILE };
enum { ASK_URI, ASK_SOCKET, ASK_CONFIG };

struct first {
	const struct first_options *options;
	struct first_choice *out;
	struct first_found found;
	struct term *term;
	struct grid grid;
	struct prompt prompt;
	enum page page;
	int at;			/* choice under the cursor */
	int asking;		/* what the prompt is for */
	bool done;
	char site[SITE_TEXT_SIZE];	/* that would be written */
	char message[256];
	bool bad;
};

static const char *const labels[CHOICES] = {
	"Try it now on a practice site",
	"Use libvirt on this computer",
	"Use libvirt on a host over ssh",
	"Attach to an engine that runs already",
	"Read a site file",
};

/* What stands behind a choice. */
static void about(const struct first_found *found, int choice, char *out,
		  size_t size)
{
	switch (choice) {
	case 0:
		snprintf(out, size, "3 hosts, 5 pools, 60 users, none of them "
			 "real; all of it goes when you leave");
		break;
	case 1:
		snprintf(out, size, "%s, %.90s%s%s", found->libvirt, found->kvm,
			 *found->memory ? ", " : "", found->memory);
		break;
	case 2:
		snprintf(out, size, "qemu+ssh://root@HOST/system");
		break;
	case 3:
		snprintf(out, size, "%s", found->socket_count ?
			 found->sockets[0] : "none found that answers");
		break;
	default:
		snprintf(out, size, "site.lua, see remuda-site(5)");
		break;
	}
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- the site file that would be written -------------------------------- */

static void make_site(struct first *f, const char *uri)
{
	const char *site = f->options->paths->site;

	snprintf(f->site, sizeof(f->site),
"-- Written at the first start of remuda.  Everything that may stand here is in\n"
"-- remuda-site(5); the console shows what a change would do:  e  edits this file.\n"
"site \"%s\" { peers = true }\n"
"\n"
"-- Where machines run%s.\n"
"host \"%s\" { uri = \"%s\" }\n"
"\n"
"-- What machines serve: here their ssh.  A pool of machines like one of your own\n"
"-- domains, which stays as it is (shut it down first), comes from the console:\n"
"--   :pool create desk application=ssh serve=2 from=DOMAIN\n"
"application \"ssh\" { endpoint = \"tcp:22\", identity = \"none\", agent = false }\n"
"\n"
"-- How people of this computer get one:  remuda connect ssh\n"
"listener \"front\" {\n"
"    door = \"native\", address = \"unix:native.sock\", user = \"peer\",\n"
"    applications = \"*\",\n"
"}\n", site, strcmp(uri, "auto") ? "" :
	": \"auto\" is libvirt's system daemon for root, else the user's own",
	strcmp(uri, "auto") ? "host1" : "local", uri);
	f->page = PAGE_FILE;
}

/* Folders above the file, then the file, which must not be there. */
static int write_site(const struct first *f, struct error *err)
{
	const char *path = f->options->paths->config;
	size_t length = strlen(f->site);
	char part[PATHS_SIZE];
	int fd;

	TEXT_SET(part, path);
	for (char *c = part + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return error_errno(err, "%s", part);
		*c = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(err, "%s", path);
	if (write(fd, f->site, length) != (ssize_t)length || fsync(fd)) {
		error_errno(err, "%s", path);
		close(fd);
		unlink(path);
		return -1;
	}
	return close(fd) ? error_errno(err, "%s", path) : 0;
}

/* ---- drawing ------------------------------------------------------------- */

static struct rect draw_frame(struct grid *g, const char *title)
{
	struct rect r;

	grid_text(g, 0, 1, g->cols - 2, ROLE_HEADER, "remuda   no engine yet");
	grid_text(g, 1, 1, g->cols - 2, ROLE_HEADER, "First start");
	r = view_pane(g, (struct rect){ 2, 0, g->rows - 4, g->cols }, title,
		      NULL);
	if (view_wide(g)) {
		r.row++;
		r.rows--;
		r.col += 2;
		r.cols -= 4;
	} else {
		r.col++;
		r.cols -= 2;
	}
	return r;
}

static int draw_choices(struct first *f, struct rect r)
{
	struct grid *g = &f->grid;
	bool wide = view_wide(&f->grid);
	int row = r.row;
	char text[400];

	for (int i = 0; i < CHOICES; i++, row++) {
		enum role role = i == 1 && !f->found.libvirt_there ? ROLE_OFF :
				 ROLE_NORMAL;

		about(&f->found, i, text, sizeof(text));
		if (i == f->at) {
			grid_text(g, row, r.col, 1, ROLE_STRONG,
				  glyph(g->ascii, GLYPH_CURSOR));
			grid_cursor(g, row, r.col + 5);
		}
		grid_printf(g, row, r.col + 2, 3, ROLE_KEY, "%d", i + 1);
		grid_text(g, row, r.col + 5, r.cols - 5, i == f->at ?
			  ROLE_STRONG : role, labels[i]);
		if (wide)
			grid_text(g, row, r.col + 45, r.cols - 45, ROLE_OFF,
				  text);
		else if (i < 4)
			grid_text(g, ++row, r.col + 7, r.cols - 7, ROLE_OFF,
				  text);
	}
	return row;
}

static int draw_files(struct first *f, struct rect r, int row)
{
	const struct paths *p = f->options->paths;
	const struct {
		const char *name, *path;
	} files[] = {
		{ "site file", p->config },
		{ "state, log", p->state_dir },
		{ "sockets", p->run_dir },
		{ "console's own", p->settings_dir },
	};

	if (view_wide(&f->grid))
		grid_text(&f->grid, row++, r.col, r.cols, ROLE_HEADER,
			  "Files that 2 and 3 would use; nothing is written "
			  "before a choice");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++, row++)
		grid_printf(&f->grid, row, r.col + 2, r.cols - 2, ROLE_NORMAL,
			    "%-14s %s%s", files[i].name, files[i].path,
			    i == 0 && !there(files[i].path) ?
			    "  (not there yet)" : "");
	return row;
}

static void draw_page(struct first *f, struct rect r)
{
	struct grid *g = &f->grid;
	bool wide = view_wide(&f->grid);
	char text[160];
	int row = r.row;

	grid_text(g, row++, r.col, r.cols, ROLE_NORMAL, wide ?
		  "Welcome. There is no site file and no engine yet, so nothing "
		  "has been changed on this computer." :
		  "Welcome. No site file, no engine yet: nothing was changed here.");
	row += wide;
	grid_text(g, row++, r.col, r.cols, ROLE_NORMAL, wide ?
		  "Remuda keeps pools of virtual machines ready and gives one to "
		  "each user who connects." : "Remuda keeps pools of machines "
		  "ready and gives one to each user.");
	row += wide;
	row = draw_choices(f, (struct rect){ row, r.col, r.rows, r.cols });
	row = draw_files(f, r, row + wide);
	row += wide;
	term_describe(f->term, text, sizeof(text));
	grid_text(g, row++, r.col, r.cols, ROLE_OFF, text);
	grid_printf(g, row++, r.col, r.cols, ROLE_NORMAL, "bars and arrows? "
		    "%s  %s %s %s %s %s   if they look broken, press u: plain "
		    "ASCII", g->ascii ? ".:-=+*#@" : "▁▂▃▄▅▆▇█",
		    glyph(g->ascii, GLYPH_CURSOR), glyph(g->ascii, GLYPH_USED),
		    glyph(g->ascii, GLYPH_FREE), glyph(g->ascii, GLYPH_LEAVING),
		    glyph(g->ascii, GLYPH_FAILED));
	row += wide;
	grid_text(g, row, r.col, r.cols, ROLE_NORMAL, wide ?
		  "New here? t is the practice site with a tour of five minutes. "
		  "Every screen shows its keys in the last line; ? explains." :
		  "New here? t is the practice site with a tour of five minutes.");
}

static void draw_file(struct first *f, struct rect r)
{
	const char *text = f->site;

	grid_printf(&f->grid, r.row, r.col, r.cols, ROLE_STRONG,
		    "This would be written to %s:", f->options->paths->config);
	for (int row = 2; *text && row < r.rows; row++) {
		size_t n = strcspn(text, "\n");
		char line[256];

		text_display(line, sizeof(line), text, n);
		grid_text(&f->grid, r.row + row, r.col, r.cols, ROLE_NORMAL,
			  line);
		text += n + (text[n] == '\n');
	}
}

static void draw_key_line(struct first *f)
{
	static const struct {
		const char *key, *label;
	} keys[2][7] = {
		{ { "1-5", "Choose" }, { "Enter", "Choose" }, { "t", "Tour" },
		  { "u", "ASCII" }, { "q", "Quit, no trace" } },
		{ { "y", "Write it, start the engine" }, { "Esc", "Back" },
		  { "q", "Quit, no trace" } },
	};
	struct grid *g = &f->grid;
	int row = g->rows - 1, col = 1;

	if (f->prompt.kind != PROMPT_NONE) {
		grid_text(g, row, 1, g->cols - 2, ROLE_NORMAL,
			  "Enter Done   Esc Back");
		return;
	}
	for (int i = 0; i < 7 && keys[f->page][i].key; i++) {
		col += grid_text(g, row, col, g->cols - col, ROLE_KEY,
				 keys[f->page][i].key) + 1;
		col += grid_text(g, row, col, g->cols - col, ROLE_NORMAL,
				 keys[f->page][i].label) + 3;
	}
}

static void draw(struct first *f)
{
	struct grid *g = &f->grid;
	struct rect r;

	grid_clear(g);
	r = draw_frame(g, f->page == PAGE_FILE ? "A site file" : "First start");
	if (f->page == PAGE_FILE)
		draw_file(f, r);
	else
		draw_page(f, r);
	if (f->prompt.kind != PROMPT_NONE)
		prompt_draw(&f->prompt, g, g->rows - 2, g->cols);
	else
		grid_text(g, g->rows - 2, 1, g->cols - 2, f->bad ? ROLE_FAILED :
			  ROLE_NORMAL, f->message);
	draw_key_line(f);
	term_show(f->term, g, false);
}

static void resize(struct first *f)
{
	int rows, cols;

	term_size(f->term, &rows, &cols);
	grid_fini(&f->grid);
	grid_init(&f->grid, rows, cols, term_ascii(f->term));
}

/* ---- choosing ------------------------------------------------------------ */

static void say(struct first *f, bool bad, const char *text)
{
	TEXT_SET(f->message, text);
	f->bad = bad;
}

static void choose(struct first *f, enum first_kind kind, const char *text)
{
	f->out->kind = kind;
	TEXT_SET(f->out->text, text);
	f->done = true;
}

static void ask(struct first *f, int what, const char *label, const char *text)
{
	f->asking = what;
	prompt_open(&f->prompt, PROMPT_FILE, label, text);
}

static void take_choice(struct first *f, int choice)
{
	f->at = choice;
	say(f, false, "");
	switch (choice) {
	case 0:
		choose(f, FIRST_PRACTICE, "");
		break;
	case 1:
		make_site(f, "auto");
		if (!f->found.libvirt_there)
			say(f, true, f->found.libvirt);
		break;
	case 2:
		ask(f, ASK_URI, "libvirt of the host: ", "qemu+ssh://root@");
		break;
	case 3:
		ask(f, ASK_SOCKET, "control socket: ", f->found.socket_count ?
		    f->found.sockets[0] : "");
		break;
	default:
		ask(f, ASK_CONFIG, "site file: ", "");
		break;
	}
}

static void typed(struct first *f, const char *text)
{
	char full[PATHS_SIZE], here[PATHS_SIZE / 2];

	if (f->asking == ASK_URI) {
		if (!strstr(text, "://") || strpbrk(text, "\"\\\n"))
			say(f, true, "A libvirt URI looks like "
			    "qemu+ssh://root@hv01/system");
		else
			make_site(f, text);
		return;
	}
	snprintf(full, sizeof(full), "%s", text);
	if (*text != '/' && getcwd(here, sizeof(here)))
		snprintf(full, sizeof(full), "%s/%s", here, text);
	if (access(full, R_OK)) {
		snprintf(f->message, sizeof(f->message), "%.150s: %s", full,
			 strerror(errno));
		f->bad = true;
		return;
	}
	choose(f, f->asking == ASK_SOCKET ? FIRST_ATTACH : FIRST_CONFIG, full);
}

static void write_and_start(struct first *f)
{
	struct error err = { "" };

	if (write_site(f, &err))
		say(f, true, err.text);
	else
		choose(f, FIRST_SITE, "");
}

static void page_key(struct first *f, uint32_t key)
{
	if (key >= '1' && key <= '0' + CHOICES) {
		take_choice(f, (int)(key - '1'));
	} else if (key == KEYS_ENTER) {
		take_choice(f, f->at);
	} else if (key == KEYS_DOWN || key == 'j' || key == KEYS_TAB) {
		f->at = (f->at + 1) % CHOICES;
	} else if (key == KEYS_UP || key == 'k' || key == KEYS_SHIFT_TAB) {
		f->at = (f->at + CHOICES - 1) % CHOICES;
	} else if (key == 't') {
		f->out->tour = true;
		choose(f, FIRST_PRACTICE, "");
	} else if (key == 'u') {
		f->grid.ascii = f->out->ascii = !f->grid.ascii;
	} else if (key != KEYS_CTRL('l')) {
		say(f, false, "1 to 5 choose, q leaves; nothing is written "
		    "before a choice.");
	}
}

static void take_key(struct first *f, uint32_t key)
{
	char text[PROMPT_TEXT_SIZE];

	if (f->prompt.kind != PROMPT_NONE) {
		enum prompt_result result = prompt_key(&f->prompt, key, false);

		if (result != PROMPT_DONE && result != PROMPT_CANCELLED)
			return;
		TEXT_SET(text, f->prompt.text);
		prompt_close(&f->prompt, false);
		if (result == PROMPT_DONE && *text)
			typed(f, text);
	} else if (key == 'q' || key == KEYS_CTRL('c')) {
		choose(f, FIRST_LEAVE, "");
	} else if (f->page == PAGE_CHOICES) {
		page_key(f, key);
	} else if (key == 'y') {
		write_and_start(f);
	} else if (key == KEYS_ESC || key == 'n') {
		f->page = PAGE_CHOICES;
		say(f, false, "Nothing was written.");
	}
}

int first_ask(const struct first_options *options, struct first_choice *out)
{
	struct first *f = calloc(1, sizeof(*f));
	struct error err = { "" };
	struct settings settings;
	uint32_t key;
	int result = 0;

	*out = (struct first_choice){ .kind = FIRST_LEAVE };
	settings_init(&settings);
	if (f)
		f->term = term_open(&(struct term_options){
			.settings = &settings, .ascii = options->ascii,
			.no_color = options->no_color }, &err);
	if (!f || !f->term) {
		settings_fini(&settings);
		free(f);
		return -1;
	}
	f->options = options;
	f->out = out;
	first_look(options->paths, &f->found);
	resize(f);
	while (!f->done && result == 0) {
		if (term_resized(f->term))
			resize(f);
		draw(f);
		if (term_wait(f->term, -1, false, 60000))
			break;	/* the terminal went away: leave */
		while (!f->done && (key = term_key(f->term)) != 0)
			take_key(f, key);
	}
	out->ascii = f->grid.ascii;
	grid_fini(&f->grid);
	term_close(f->term);
	settings_fini(&settings);
	free(f);
	return result;
}

void first_print(const struct paths *paths, FILE *out)
{
	struct first_found found;
	char text[400];

	first_look(paths, &found);
	fprintf(out, "remuda: no engine answers, and there is no site file: %s\n"
		"Nothing was changed.  On a terminal remuda asks what to do:\n",
		paths->config);
	for (int i = 0; i < CHOICES; i++) {
		about(&found, i, text, sizeof(text));
		fprintf(out, "  %d  %-38s %s\n", i + 1, labels[i], text);
	}
	fprintf(out, "Without one: write a site file there, or name another "
		"(remuda --config FILE),\nthen  remuda engine start.  "
		"remuda info  prints all paths.\n");
}
