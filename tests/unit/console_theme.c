/*
 * Themes: every state has a colour that can be read and told from the others,
 * also by eyes that do not see all colours (simulated as Machado, Oliveira and
 * Fernandes 2009 do, distances in CIELAB), and without colour a look of its own.
 */
#include <math.h>
#include <string.h>

#include "console/theme.h"
#include "tests/tap.h"

static const enum role states[] = { ROLE_USED, ROLE_FREE, ROLE_CHANGING,
				    ROLE_LEAVING, ROLE_WARN, ROLE_FAILED };
enum { STATES = sizeof(states) / sizeof(states[0]) };

struct colour {
	double c[3];
};

/* Of the 256, as xterm has them. */
static struct colour rgb(int index)
{
	static const int levels[] = { 0, 95, 135, 175, 215, 255 };
	struct colour out;

	if (index >= 232)
		for (int i = 0; i < 3; i++)
			out.c[i] = 8 + 10 * (index - 232);
	else
		out = (struct colour){ { levels[(index - 16) / 36],
					 levels[(index - 16) / 6 % 6],
					 levels[(index - 16) % 6] } };
	return out;
}

static struct colour linear(struct colour in)
{
	for (int i = 0; i < 3; i++) {
		double v = in.c[i] / 255;

		in.c[i] = v <= 0.04045 ? v / 12.92 :
			  pow((v + 0.055) / 1.055, 2.4);
	}
	return in;
}

static double contrast(int index, bool light)
{
	struct colour l = linear(rgb(index));
	double y = 0.2126 * l.c[0] + 0.7152 * l.c[1] + 0.0722 * l.c[2];

	return light ? 1.05 / (y + 0.05) : (y + 0.05) / 0.05;
}

static const double deutan[9] = { 0.367322, 0.860646, -0.227968, 0.280085,
	0.672501, 0.047413, -0.011820, 0.042940, 0.968881 };
static const double protan[9] = { 0.152286, 1.052583, -0.204868, 0.114503,
	0.786281, 0.099216, -0.003882, -0.048116, 1.051998 };
static const double tritan[9] = { 1.255528, -0.076749, -0.178779, -0.078411,
	0.930809, 0.147602, 0.004733, 0.691367, 0.303900 };

static double curve(double t)
{
	return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static struct colour lab(int index, const double *eye)
{
	struct colour l = linear(rgb(index)), s = l;

	for (int i = 0; eye && i < 3; i++) {
		s.c[i] = eye[3 * i] * l.c[0] + eye[3 * i + 1] * l.c[1] +
			 eye[3 * i + 2] * l.c[2];
		s.c[i] = s.c[i] < 0 ? 0 : s.c[i] > 1 ? 1 : s.c[i];
	}
	double x = curve((0.4124 * s.c[0] + 0.3576 * s.c[1] + 0.1805 * s.c[2]) /
			 0.9505);
	double y = curve(0.2126 * s.c[0] + 0.7152 * s.c[1] + 0.0722 * s.c[2]);
	double z = curve((0.0193 * s.c[0] + 0.1192 * s.c[1] + 0.9505 * s.c[2]) /
			 1.089);

	return (struct colour){ { 116 * y - 16, 500 * (x - y), 200 * (y - z) } };
}

static double least_distance(const struct look *look, const double *eye)
{
	double least = 1000;

	for (int i = 0; i < STATES; i++)
		for (int j = 0; j < i; j++) {
			int a = theme_style(states[i], 0, look).colour;
			int b = theme_style(states[j], 0, look).colour;
			struct colour p = lab(a, eye), q = lab(b, eye);
			double d = sqrt(pow(p.c[0] - q.c[0], 2) +
					pow(p.c[1] - q.c[1], 2) +
					pow(p.c[2] - q.c[2], 2));

			least = d < least ? d : least;
		}
	return least;
}

static void test_colours(void)
{
	static const struct {
		enum theme theme;
		const double *eyes[2];
		double apart, contrast;
		const char *name;
	} cases[] = {
		{ THEME_DEUTAN, { deutan, protan }, 30, 4, "deutan" },
		{ THEME_TRITAN, { tritan, NULL }, 30, 4, "tritan" },
	};

	for (size_t i = 0; i < 2; i++)
		for (int light = 0; light < 2; light++) {
			struct look look = { .colours = 256, .light = light,
					     .theme = cases[i].theme,
					     .accent = -1 };

			for (int e = 0; e < 2; e++) {
				double d = least_distance(&look,
							  cases[i].eyes[e]);

				ok(d >= cases[i].apart, "%s, %s, eye %d: states "
				   "are %.1f apart", cases[i].name, light ?
				   "light" : "dark", e, d);
			}
			for (int s = 0; s < STATES; s++) {
				double c = contrast(theme_style(states[s], 0,
						    &look).colour, light);

				ok(c >= cases[i].contrast, "%s, %s, state %d: "
				   "contrast %.1f", cases[i].name, light ?
				   "light" : "dark", s, c);
			}
		}
	for (int light = 0; light < 2; light++) {
		struct look look = { .colours = 256, .light = light,
				     .accent = -1 };

		for (int s = 0; s < STATES; s++)
			ok(contrast(theme_style(states[s], 0, &look).colour,
				    light) >= 3.5, "default, %s, state %d reads",
			   light ? "light" : "dark", s);
	}
}

static void test_mono(void)
{
	struct look none = { .colours = 0, .accent = -1 };
	struct look mono = { .colours = 256, .theme = THEME_MONO, .accent = 1 };
	struct look eight = { .colours = 8, .accent = -1 };

	for (int role = 0; role < ROLE_COUNT; role++) {
		is_int(theme_style((enum role)role, 0, &none).colour, -1,
		       "no colours: role %d has none", role);
		is_int(theme_style((enum role)role, 0, &mono).colour, -1,
		       "mono: nor here");
		ok(theme_style((enum role)role, 0, &eight).colour < 8,
		   "8 colours: within 8");
	}
	ok(theme_style(ROLE_FAILED, 0, &none).attrs !=
	   theme_style(ROLE_WARN, 0, &none).attrs &&
	   theme_style(ROLE_WARN, 0, &none).attrs !=
	   theme_style(ROLE_CHANGING, 0, &none).attrs &&
	   theme_style(ROLE_CHANGING, 0, &none).attrs != 0,
	   "without colour, failed, warn and changing still differ");
	ok(theme_style(ROLE_NORMAL, CELL_SELECTED, &none).attrs & STYLE_REVERSE,
	   "the cursor's line is reverse");
	ok(theme_style(ROLE_NORMAL, CELL_MARKED, &none).attrs & STYLE_BOLD,
	   "a marked one bold");
	is_int(theme_style(ROLE_ACCENT, 0, &mono).attrs, STYLE_BOLD |
	       STYLE_REVERSE, "the site's word stands out");
	is_int(theme_accent("red"), 1, "red");
	is_int(theme_accent("none"), -1, "none");
}

int main(void)
{
	test_colours();
	test_mono();
	return tap_done();
}
