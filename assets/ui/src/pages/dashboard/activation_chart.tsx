import { BarChart } from 'echarts/charts'
import { GridComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { useEffect, useRef } from 'react'
import type { Dashboard } from '../../api/dashboard'

use([BarChart, GridComponent, TooltipComponent, CanvasRenderer])

interface ActivationChartProps {
  days: Dashboard['activations']
  label: string
  countName: string
}

/**
 * Activations a day as bars on a canvas. The tooltip is drawn into the canvas as well: one of HTML
 * would carry style attributes, which the page's content policy refuses.
 */
export default function ActivationChart({ days, label, countName }: ActivationChartProps) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!place.current) return
    const chart = init(place.current, null, { renderer: 'canvas' })
    chart.setOption({
      animation: !window.matchMedia('(prefers-reduced-motion: reduce)').matches,
      grid: { left: 4, right: 6, top: 12, bottom: 2, outerBoundsMode: 'same' },
      tooltip: { trigger: 'axis', renderMode: 'richText', axisPointer: { type: 'shadow', shadowStyle: { color: 'rgba(245,146,30,0.08)' } } },
      xAxis: {
        type: 'category',
        data: days.map((day) => day.day.slice(5).replace('-', '/')),
        axisTick: { show: false },
        axisLine: { lineStyle: { color: '#e4ddd5' } },
        axisLabel: { color: '#6f7680', fontSize: 11, hideOverlap: true },
      },
      yAxis: {
        type: 'value',
        minInterval: 1,
        splitLine: { lineStyle: { color: '#f2ede8' } },
        axisLabel: { color: '#6f7680', fontSize: 11 },
      },
      series: [
        {
          type: 'bar',
          name: countName,
          data: days.map((day) => day.count),
          barMaxWidth: 18,
          itemStyle: { color: '#f08a3e', borderRadius: [4, 4, 0, 0] },
          emphasis: { itemStyle: { color: '#cf4a0c' } },
        },
      ],
    })
    const watch = new ResizeObserver(() => chart.resize())
    watch.observe(place.current)
    return () => {
      watch.disconnect()
      chart.dispose()
    }
  }, [days, countName])
  return <div ref={place} className="chart" role="img" aria-label={label} />
}
