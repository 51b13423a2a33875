import type { ThemeConfig } from 'antd'

/** Calm and warm, with one accent: a goldfish orange dark enough to be read on white (4.5 : 1). */
export const theme: ThemeConfig = {
  token: {
    colorPrimary: '#cf4a0c',
    colorLink: '#cf4a0c',
    colorSuccess: '#16803c',
    colorWarning: '#c77700',
    colorError: '#c0271c',
    colorText: '#1f2329',
    colorTextSecondary: '#59606b',
    colorTextPlaceholder: '#82888f',
    colorBorder: '#ddd6ce',
    colorBorderSecondary: '#ece7e1',
    colorBgLayout: '#faf8f5',
    borderRadius: 8,
    controlHeight: 36,
    fontSize: 14,
    fontFamily: 'inherit',
  },
  components: {
    Button: { primaryShadow: 'none', defaultShadow: 'none', fontWeight: 500 },
    Form: { verticalLabelPadding: '0 0 4px', itemMarginBottom: 18 },
  },
}
