import type { ThemeConfig } from 'antd'

/** Calm and warm, with one accent: a goldfish orange dark enough to be read on white (4.5 : 1). */
export const theme: ThemeConfig = {
  token: {
    colorPrimary: '#cf4a0c',
    colorLink: '#b8410a',
    colorSuccess: '#16803c',
    colorWarning: '#c77700',
    colorError: '#c0271c',
    colorText: '#1f2329',
    colorInfo: '#b3640f',
    // The grounds are given: those derived from such dark tones come out muddy.
    colorPrimaryBg: '#fff2e8',
    colorPrimaryBgHover: '#ffe8d8',
    colorSuccessBg: '#edf8f1',
    colorSuccessBorder: '#bfe3cb',
    colorWarningBg: '#fff7e6',
    colorWarningBorder: '#f3d9a4',
    colorErrorBg: '#fdf0ee',
    colorErrorBgHover: '#fbe4e1',
    colorErrorBorder: '#f2c4bf',
    colorInfoBg: '#fff6ec',
    colorInfoBorder: '#f3d6b8',
    colorTextSecondary: '#59606b',
    colorTextTertiary: '#6b727c',
    colorTextDescription: '#6b727c',
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
    Tabs: { itemSelectedColor: '#b8410a', itemHoverColor: '#b8410a' },
    Progress: { defaultColor: '#e8751f' },
    Checkbox: { borderRadiusSM: 4 },
    Form: { verticalLabelPadding: '0 0 4px', itemMarginBottom: 22 },
  },
}
