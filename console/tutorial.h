/* The tour of five minutes: `:tutorial`, or t at the first start. */
#ifndef REMUDA_CONSOLE_TUTORIAL_H
#define REMUDA_CONSOLE_TUTORIAL_H

struct app;
struct grid;

void tutorial_start(struct app *app);	/* or ends it */
void tutorial_key(struct app *app);	/* after a key: is the step done? */
void tutorial_draw(struct app *app, struct grid *g);

#endif
