const NS = 'http://www.w3.org/2000/svg';

/** Strokes on a 24 by 24 grid, drawn for this page. */
const PATHS = {
  send: 'M4 12 20 4.5 15.5 20l-4-6.5L4 12Zm7.5 1.5L20 4.5',
  plus: 'M12 5v14M5 12h14',
  back: 'M14.5 5.5 8 12l6.5 6.5',
  close: 'M6 6l12 12M18 6 6 18',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm4.8-1.7L20 20',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.3-3.6 2.7-5.8 6.5-5.8s6.200 2.200 6.500 5.800M16 4.500a3.200 3.200 0 0 1 0 6.200M17.500 14.600c2.400.700 3.800 2.600 4 5.400',
  reply: 'M9.500 6 4 11.500 9.500 17M4.500 11.500H14c3.500 0 6 2.500 6 6.500',
  edit: 'M4.500 19.500 5.500 15 16 4.500l3.500 3.500L9 18.500l-4.500 1ZM13.800 6.700l3.500 3.500',
  trash: 'M4.500 7h15M9.500 7V4.500h5V7M6.500 7l1 12.500h9l1-12.500M10.200 10.500v6M13.800 10.500v6',
  smile: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.500 14c.8 1.400 2 2.100 3.500 2.100s2.700-.7 3.500-2.100M9 9.500v.6M15 9.500v.6',
  pulse: 'M3 12.500h4l2.500-7 4.500 13 2.500-6H21',
  phone: 'M8 2.500h8a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2ZM10.500 5h3M12 18.500v.2',
  lock: 'M6 10.500h12a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1ZM8 10.500V7.500a4 4 0 0 1 8 0v3M12 14.500v2',
  bell: 'M6 10a6 6 0 0 1 12 0c0 5 2 6.500 2 6.500H4S6 15 6 10ZM10 19.500c.400.700 1.100 1 2 1s1.600-.3 2-1',
  clock: 'M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17ZM12 7.500V12l3 2.200',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  checks: 'M2.500 12.500 7 17l9-9.500M11.500 15.500 13 17l9-9.500',
  alert: 'M12 4 2.800 19.500h18.400L12 4Zm0 6v4.500M12 17v.4',
  down: 'M12 5v14M6 13l6 6 6-6',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.500v2.300M12 19.200v2.300M2.500 12h2.300M19.200 12h2.300M5.300 5.300l1.600 1.600M17.100 17.100l1.600 1.600M5.300 18.700l1.600-1.600M17.100 6.900l1.600-1.600',
  moon: 'M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10Z',
  auto: 'M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17ZM12 3.500v17M12 7h6M12 11h8M12 15h7.500',
  out: 'M14 4.500H5.500v15H14M10.500 12H21M17.500 8l4 4-4 4',
  up: 'M6 14.500 12 8.500l6 6',
  downSmall: 'M6 9.500l6 6 6-6',
};

/** A decorative icon; the control that holds it carries the words. @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(NS, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
