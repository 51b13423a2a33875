/** The goldfish. Decoration: the product's name always stands beside it or in the page's title. */
export function Logo({ size = 30, className }: { size?: number | undefined; className?: string }) {
  return (
    <svg className={className} width={className ? undefined : size} height={className ? undefined : size} viewBox="0 0 48 48" aria-hidden="true">
      <path fill="#ffb570" d="M21 24C15 20 12 11 3 9c3 6 3 11 5 15-2 4-2 9-5 15 9-2 12-11 18-15z" />
      <path fill="#ffc894" d="M20 24c-5-2-8-7-13-9 2 4 2 6 3 9-1 3-1 5-3 9 5-2 8-7 13-9z" />
      <path fill="#ffb570" d="M24 15.500c2-6.500 8-8.500 13-5.500-3 1-4.500 3-5 5.500z" />
      <path fill="#f0701a" d="M17 24c2-10 16-14 26-3 2 2 2 4 0 6-10 11-24 7-26-3z" />
      <path fill="#f98a3c" d="M20 22c4-7 14-8.500 21-1.500-7-3-14-2.500-21 1.500z" />
      <path fill="#ffb570" d="M26 27c1 4-1 7-5 8 0-4 1-7 5-8z" />
      <circle cx="36.500" cy="21.700" r="3" fill="#fff" />
      <circle cx="37.200" cy="21.700" r="1.600" fill="#331505" />
    </svg>
  )
}
