// Takes the pictures of the page for the README and the guide, docs/images/page.png and phone.png. On a quiet machine:
// they show how long a message took.
import { fileURLToPath } from 'node:url';
import { act, begin, composer, join, launch, message, open, say } from './support/browser.js';
import { startServer } from './support/server.js';

const path = (name) => fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url));
const server = await startServer();
const browser = await launch();
try {
  const [ada, ben, mia] = await Promise.all([['ada', 'Ada Winter'], ['ben', 'Ben Okafor'], ['mia', 'Mia Santos']]
    .map(([id, name]) => join(browser, server.url, { id, name, options: { locale: 'en-GB' } })));
  const hear = (page, text) => message(page, text).first().waitFor();

  await begin(mia, { who: 'ada' });
  await say(mia, 'Did the tent arrive? 🎉');
  await message(mia, 'tent').locator('.mark.delivered').waitFor();
  await begin(ada, { who: 'ben, mia', title: 'Saturday on the ridge' });
  await say(ada, 'Hello both! @Mia Santos has the tent, @Ben Okafor the cheese.');
  await open(ben, 'Saturday');
  await say(ben, 'I drive us there, if somebody else does the way back.');
  await hear(ada, 'way back');

  await begin(ben, { who: 'ada' });
  await say(ben, 'Morning! Are we still on for the mountain on Saturday?');
  await say(ben, 'The forecast says sun until four, then clouds.');
  await open(ada, 'Ben Okafor');
  await hear(ada, 'forecast');
  await say(ada, 'Absolutely. I looked at the map again last night.');
  await say(ada, 'Six hours if we take the ridge, four by the lake.');
  await hear(ben, 'Six hours');
  await act(ben, 'Six hours', 'React');
  await ben.getByRole('button', { name: 'React with 👍' }).click();
  await act(ben, 'Six hours', 'Reply');
  await say(ben, 'The ridge! No question, and no shortcuts.');
  await hear(ada, 'No question');
  await say(ada, '🏔️');
  await hear(ben, '🏔️');
  await say(ada, 'Then I bring the thermos and you bring the good cheese.');
  await message(ada, 'thermos').locator('.mark.read').waitFor();

  await ada.setViewportSize({ width: 1320, height: 820 });
  await act(ada, 'thermos', 'Behind the scenes');
  await ada.locator('.steps-list', { hasText: 'has seen it' }).waitFor();
  await ada.mouse.move(700, 200);
  await composer(ada).focus();
  await ada.waitForFunction(() => document.getAnimations().length === 0);
  await ada.screenshot({ path: path('page') });

  await ada.getByRole('button', { name: 'Phones' }).click();
  const phone = ada.locator('.phone-of[data-user="ben"]');
  await phone.waitFor();
  await ben.close();
  await phone.getByText('No page is open').waitFor();
  await say(ada, 'One more thing: the shop closes at six.');
  await phone.locator('.alert', { hasText: 'closes at six' }).waitFor();
  await ada.mouse.move(700, 200);
  await composer(ada).focus();
  await ada.waitForFunction(() => document.getAnimations().length === 0);
  await ada.screenshot({ path: path('phone') });
} finally {
  await browser.close();
  await server.stop();
}
